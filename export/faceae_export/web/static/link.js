// The part of the address after #: all that draws the same picture again, except photographs.

const EDIT = "edit."; // before the name of an attribute

// Read the address. Returns seed, start, from, to, at, variety, where it holds them and they are in
// range, and edits: strengths by attribute.
export function readLink(hash) {
  const values = new URLSearchParams(hash.slice(1));
  const link = { edits: {} };
  if (/^[0-9]{1,18}$/.test(values.get("seed") ?? "")) link.seed = values.get("seed");
  for (const [name, most] of [["start", 999_988], ["from", 999_999], ["to", 999_999], ["at", 100]]) {
    const number = Number(values.get(name) ?? NaN);
    if (Number.isInteger(number) && number >= 0 && number <= most) link[name] = number;
  }
  const variety = Number(values.get("variety") ?? NaN);
  if (variety >= 0 && variety <= 1.5) link.variety = variety;
  for (const [name, text] of values) {
    if (name.startsWith(EDIT) && Number.isFinite(Number(text))) {
      link.edits[name.slice(EDIT.length)] = Number(text);
    }
  }
  return link;
}

// Return the address's part for what `readLink` returns.
export function writeLink({ edits, ...numbers }) {
  const values = new URLSearchParams();
  for (const [name, value] of Object.entries(numbers)) {
    if (value !== undefined) values.set(name, value);
  }
  for (const [name, strength] of Object.entries(edits)) values.set(`${EDIT}${name}`, strength);
  return `#${values}`;
}
