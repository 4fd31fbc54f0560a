// Computes faces on the server that sent this page: `faceae serve`.

import { fetchWithKey } from "./key.js";
import { toBlob, toPicture } from "./pictures.js";

const LARGEST_SIDE = 1600; // photographs are sent at this size at most
const SMALL_PIXELS = 250_000; // up to so many, pictures are sent without loss
const NPY_HEADER = 10; // bytes before the text of a .npy header

// Same functions as those of `openBrowser`, and
// - encodePhotograph(photograph): latents of the face that the server finds in a photograph. Throws
//   an error with `noFace` if it finds none that it can use.
export function openServer({ imageSize, latentSize }) {
  async function sample(seed, start, count, variety) {
    const query = new URLSearchParams({ task: "sample", seed, start, count, truncation: variety });
    return readLatents(await ask(`./invocations?${query}`));
  }

  async function encode(picture) {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = imageSize;
    canvas.getContext("2d").putImageData(picture, 0, 0);
    return encodeFile(await toBlob(canvas, "image/png"), false);
  }

  async function encodePhotograph(photograph) {
    const shrink = Math.min(1, LARGEST_SIDE / Math.max(photograph.width, photograph.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(photograph.width * shrink);
    canvas.height = Math.round(photograph.height * shrink);
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(photograph, 0, 0, canvas.width, canvas.height);
    const isSmall = canvas.width * canvas.height <= SMALL_PIXELS;
    return encodeFile(await (isSmall ? toBlob(canvas, "image/png") : toBlob(canvas, "image/jpeg", 0.95)), true);
  }

  async function encodeFile(file, align) {
    const reply = await ask(`./invocations?task=encode&align=${align}`, file, file.type);
    return readLatents(reply)[0];
  }

  async function decode(latents) {
    const body = JSON.stringify({ task: "decode", latents: latents.map((vector) => [...vector]) });
    const { data } = await ask("./invocations", body, "application/json", "; dtype=uint8");
    const size = 3 * imageSize * imageSize;
    return latents.map((_, face) => toPicture(data.subarray(face * size, (face + 1) * size), imageSize));
  }

  function readLatents({ data }) {
    const numbers = new Float32Array(data.slice().buffer); // .npy files are little-endian, as browsers
    return Array.from({ length: numbers.length / latentSize }, (_, row) =>
      numbers.slice(row * latentSize, (row + 1) * latentSize),
    );
  }

  return { sample, encode, encodePhotograph, decode };
}

async function ask(url, body = "", type = "", form = "") {
  const headers = { Accept: `application/x-npy${form}` };
  if (type) headers["Content-Type"] = type;
  let response;
  try {
    response = await fetchWithKey(url, { method: "POST", body: body || undefined, headers });
  } catch (error) {
    if (error.noKey) throw error;
    throw new Error("The server does not answer. Is it still running, and are you online?");
  }
  if (!response.ok) throw await explain(response);
  return readNpy(new Uint8Array(await response.arrayBuffer()));
}

async function explain(response) {
  const problem = await response.json().catch(() => ({}));
  const reason = problem.detail ?? `${response.status} ${response.statusText}`;
  const error = new Error(`The server refused: ${reason}`);
  error.noFace = response.status === 422;
  return error;
}

function readNpy(file) {
  const length = file[8] + 256 * file[9];
  return { data: file.subarray(NPY_HEADER + length) };
}
