// Runs the exported generator in ONNX Runtime Web.

const RUNTIME = "./onnxruntime-web-1.26.0/";

// Load the runtime and the model. Returns the latent size, the side of an image in pixels, and
// `draw`, which computes one ImageData for the noise of each face and a truncation.
export async function openGenerator() {
  const ort = await import(`${RUNTIME}ort.js`);
  // Some servers send .wasm with a wrong content type, which does not matter here.
  const [program, model] = await Promise.all([
    download(`${RUNTIME}ort.wasm`),
    download("./generator.onnx"),
  ]);
  ort.env.wasm.wasmBinary = program;
  ort.env.wasm.numThreads = 1; // more threads need headers that a plain server does not send
  const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
  const latentSize = session.inputMetadata[0].shape[1];
  const imageSize = session.outputMetadata[0].shape[1];

  async function draw(noises, truncation) {
    const rows = new Float32Array(noises.length * latentSize);
    noises.forEach((noise, face) => rows.set(noise, face * latentSize));
    const { faces } = await session.run({
      noise: new ort.Tensor("float32", rows, [noises.length, latentSize]),
      truncation: new ort.Tensor("float32", [truncation], []),
    });
    const numValues = imageSize * imageSize * 3;
    return noises.map((_, face) =>
      toPicture(faces.data.subarray(face * numValues, (face + 1) * numValues), imageSize),
    );
  }

  return { latentSize, imageSize, draw };
}

async function download(url) {
  const response = await fetch(url, { cache: "no-cache" }); // a newer export may have replaced the file
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}

function toPicture(rgb, size) {
  const picture = new ImageData(size, size);
  picture.data.fill(255);
  for (let pixel = 0; pixel < size * size; pixel += 1) {
    picture.data.set(rgb.subarray(3 * pixel, 3 * pixel + 3), 4 * pixel);
  }
  return picture;
}
