// Computes faces in this browser, with ONNX Runtime Web.

import { fetchWithKey } from "./key.js";
import { latentNoise } from "./noise.js";
import { toPicture, toRgb } from "./pictures.js";

const RUNTIME = "./onnxruntime-web-1.26.0/";
const BATCH = 4; // faces per run; the page handles input between runs

// Load the runtime and the models. Returns
// - sample(seed, start, count, variety): latents of drawn faces,
// - encode(picture): latents of a framed picture, an ImageData of the model's size,
// - decode(latents): an ImageData for each.
export async function openBrowser({ imageSize, latentSize }) {
  const ort = await import(`${RUNTIME}ort.js`);
  // Some servers send .wasm with a wrong content type, which does not matter here.
  ort.env.wasm.wasmBinary = await load(`${RUNTIME}ort.wasm`);
  ort.env.wasm.numThreads = 1; // more threads need headers that a plain server does not send
  const sampler = await open(ort, "sampler");
  const decoder = await open(ort, "decoder");
  let encoder; // opened with the first photograph: many visitors never give one
  let known = { key: "", noises: [] }; // the noise that was used last

  function noise(seed, start, count) {
    const key = `${seed} ${start} ${count}`;
    if (known.key !== key) known = { key, noises: latentNoise(seed, start, count, latentSize) };
    return known.noises;
  }

  async function sample(seed, start, count, variety) {
    const { latents } = await sampler.run({
      noise: rows(ort, noise(seed, start, count)),
      truncation: new ort.Tensor("float32", [variety], []),
    });
    return split(latents.data, latentSize);
  }

  async function encode(picture) {
    encoder ??= await open(ort, "encoder");
    const images = new ort.Tensor("uint8", toRgb(picture), [1, imageSize, imageSize, 3]);
    const { latents } = await encoder.run({ images });
    return latents.data.slice();
  }

  async function decode(latents) {
    const pictures = [];
    for (let first = 0; first < latents.length; first += BATCH) {
      const { faces } = await decoder.run({ latents: rows(ort, latents.slice(first, first + BATCH)) });
      const each = split(faces.data, 3 * imageSize * imageSize);
      pictures.push(...each.map((face) => toPicture(toBytes(face, imageSize), imageSize)));
      const isLast = first + BATCH >= latents.length;
      if (!isLast) await new Promise((next) => setTimeout(next)); // let the browser handle input
    }
    return pictures;
  }

  return { sample, encode, decode };
}

async function open(ort, part) {
  const model = await load(`./${part}.onnx`);
  return ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
}

async function load(url) {
  const response = await fetchWithKey(url, { cache: "no-cache" }); // a newer export may have replaced the file
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}

function rows(ort, vectors) {
  const data = new Float32Array(vectors.length * vectors[0].length);
  vectors.forEach((vector, row) => data.set(vector, row * vector.length));
  return new ort.Tensor("float32", data, [vectors.length, vectors[0].length]);
}

function split(data, size) {
  return Array.from({ length: data.length / size }, (_, row) => data.slice(row * size, (row + 1) * size));
}

// 3 x S x S numbers in [-1, 1] to S x S x 3 bytes.
function toBytes(face, size) {
  const bytes = new Uint8ClampedArray(face.length); // rounds, and clips to 0..255
  const numPixels = size * size;
  for (let pixel = 0; pixel < numPixels; pixel += 1) {
    for (let channel = 0; channel < 3; channel += 1) {
      bytes[3 * pixel + channel] = (face[channel * numPixels + pixel] + 1) * 127.5;
    }
  }
  return bytes;
}
