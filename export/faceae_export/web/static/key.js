// The server's API key: asked for when the server wants one, and kept until the tab is closed.

const NAME = "faceae key";
const byId = (id) => document.getElementById(id);
let asking; // several requests wait for one answer

// Like fetch, with the key. A server without a key never asks.
export async function fetchWithKey(url, options = {}) {
  for (;;) {
    const key = sessionStorage.getItem(NAME);
    const response = await fetch(url, { ...options, headers: addKey(options.headers, key) });
    if (response.status !== 401) return response;
    if (sessionStorage.getItem(NAME) === key) await (asking ??= ask(key !== null));
  }
}

function addKey(headers, key) {
  if (key === null) return headers;
  const bytes = String.fromCharCode(...new TextEncoder().encode(key)); // headers hold bytes
  return { ...headers, Authorization: `Bearer ${bytes}` };
}

async function ask(isWrong) {
  const [dialog, field, help] = ["unlock", "key", "unlock-help"].map(byId);
  help.textContent = isWrong
    ? "The server does not know this key. Enter the key that its operator gave you."
    : "This server asks for a key. Its operator can give it to you. It is kept until you close this tab.";
  field.value = "";
  try {
    await new Promise((enter, cancel) => {
      byId("unlocking").onsubmit = (event) => {
        event.preventDefault(); // the key goes nowhere but into a header
        if (field.value.trim()) enter();
      };
      dialog.oncancel = byId("leave").onclick = () => cancel(explain());
      dialog.showModal();
    });
    sessionStorage.setItem(NAME, field.value.trim());
  } finally {
    dialog.close();
    field.value = "";
    asking = undefined;
  }
}

function explain() {
  const error = new Error("This server needs a key. Reload the page to enter it.");
  error.noKey = true;
  return error;
}
