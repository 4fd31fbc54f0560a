// The sliders that change attributes of a face.

// What visitors try first, as far as the model has it.
const FIRST = [
  "Smiling", "Young", "Male", "Eyeglasses", "Bangs", "Blond_Hair", "Mustache", "Heavy_Makeup",
  "Black_Hair", "Brown_Hair", "No_Beard", "Wearing_Hat", "Wearing_Lipstick", "Mouth_Slightly_Open",
];
const NUM_FIRST = 8; // sliders that are always shown
const LIMIT = 3; // beyond, faces fall apart

// Fill the section with one slider for each attribute. `vectors` holds what strength 1 adds to
// latents, one vector for each attribute. `onChange` is called after each change. Returns
// - strengths(): the strengths that are not 0, by attribute,
// - set(strengths): moves the sliders; returns the names of unknown attributes,
// - apply(latents): the changed latents.
export function makeEdits(attributes, vectors, onChange) {
  const sliders = new Map();
  const names = order(attributes);
  document.getElementById("edits").hidden = names.length === 0;
  document.getElementById("others").hidden = names.length <= NUM_FIRST;
  names.forEach((name, place) => {
    const box = place < NUM_FIRST ? "#sliders" : "#others div";
    sliders.set(name, addSlider(document.querySelector(box), name, place, onChange));
  });
  document.getElementById("reset").addEventListener("click", () => {
    set({});
    onChange();
  });

  function strengths() {
    const moved = [...sliders].filter(([, slider]) => slider.valueAsNumber !== 0);
    return Object.fromEntries(moved.map(([name, slider]) => [name, slider.valueAsNumber]));
  }

  function set(wanted) {
    sliders.forEach((slider, name) => {
      slider.value = wanted[name] ?? 0;
      show(slider);
      if (slider.valueAsNumber !== 0) slider.closest("details")?.setAttribute("open", "");
    });
    return Object.keys(wanted).filter((name) => !sliders.has(name));
  }

  function apply(latents) {
    const changed = Float32Array.from(latents);
    for (const [name, strength] of Object.entries(strengths())) {
      const vector = vectors[attributes.indexOf(name)];
      for (let index = 0; index < changed.length; index += 1) changed[index] += strength * vector[index];
    }
    return changed;
  }

  return { strengths, set, apply };
}

// Return the names with the best known ones first.
function order(attributes) {
  const first = FIRST.filter((name) => attributes.includes(name));
  return [...first, ...attributes.filter((name) => !first.includes(name)).sort()];
}

function addSlider(box, name, place, onChange) {
  const field = document.createElement("div");
  const label = document.createElement("label");
  const slider = document.createElement("input");
  const output = document.createElement("output");
  field.className = "field";
  Object.assign(slider, { type: "range", min: -LIMIT, max: LIMIT, step: 0.1, value: 0, id: `edit-${place}`, name });
  slider.autocomplete = "off";
  label.textContent = name.replaceAll("_", " ");
  label.htmlFor = output.htmlFor = slider.id;
  field.append(label, slider, output);
  box.append(field);
  slider.addEventListener("input", () => {
    show(slider);
    onChange();
  });
  show(slider);
  return slider;
}

function show(slider) {
  const value = slider.valueAsNumber;
  slider.nextElementSibling.value = `${value > 0 ? "+" : ""}${value.toFixed(1)}`;
}
