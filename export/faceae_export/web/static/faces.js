// The page: draws the first faces of a seed, and morphs between two of them.

import { openGenerator } from "./generator.js";
import { latentNoise } from "./noise.js";

const NUM_FACES = 12;
const BATCH = 4; // faces per batch; the page handles input between batches

const byId = (id) => document.getElementById(id);
const [controls, status, seed, truncation] = ["controls", "status", "seed", "truncation"].map(byId);
const [grid, share, morph, between] = ["grid", "share", "morph", "between"].map(byId);
const main = document.querySelector("main");

let generator;
let noises; // noise of each face of the seed
let pair = [0, 1]; // numbers of the first and the last face of the morph
const stale = new Set(); // parts of the page to draw again: "faces", "morph"
let isDrawing = false;

async function start() {
  status.textContent = "Loading the generator…";
  generator = await openGenerator();
  for (let face = 0; face < NUM_FACES; face += 1) grid.append(makeButton(face));
  morph.width = morph.height = generator.imageSize;
  seed.addEventListener("change", takeSeed);
  byId("another").addEventListener("click", () => {
    seed.value = crypto.getRandomValues(new Uint32Array(1))[0];
    takeSeed();
  });
  truncation.addEventListener("input", () => {
    byId("level").value = truncation.valueAsNumber.toFixed(2);
    redraw("faces", "morph");
  });
  share.addEventListener("input", () => redraw("morph"));
  status.textContent = "";
  controls.disabled = false;
  markPair();
  takeSeed();
}

function makeButton(face) {
  const button = document.createElement("button");
  const canvas = document.createElement("canvas");
  button.type = "button";
  canvas.width = canvas.height = generator.imageSize;
  button.append(canvas, document.createElement("span"));
  button.addEventListener("click", () => choose(face));
  return button;
}

function takeSeed() {
  if (!seed.reportValidity()) return;
  noises = latentNoise(BigInt(seed.value), NUM_FACES, generator.latentSize);
  redraw("faces", "morph");
}

// Make a face the last of the morph, and the last one so far the first.
function choose(face) {
  if (face === pair[1]) return;
  pair = [pair[1], face];
  markPair();
  redraw("morph");
}

function markPair() {
  const [from, to] = pair;
  [...grid.children].forEach((button, face) => {
    button.setAttribute("aria-pressed", face === from || face === to);
    const role = face === from ? ", from" : face === to ? ", to" : "";
    button.querySelector("span").textContent = `Face ${face}${role}`;
  });
  between.textContent = `From face ${from} to face ${to}`;
}

function redraw(...parts) {
  parts.forEach((part) => stale.add(part));
  if (!isDrawing) drawStale().catch(fail);
}

// The generator runs one batch at a time, so a single loop draws everything.
async function drawStale() {
  isDrawing = true;
  main.setAttribute("aria-busy", "true");
  while (stale.size > 0) {
    if (stale.delete("morph")) await drawMorph();
    else if (stale.delete("faces")) await drawFaces();
  }
  main.setAttribute("aria-busy", "false");
  isDrawing = false;
}

async function drawFaces() {
  for (let first = 0; first < NUM_FACES; first += BATCH) {
    const batch = noises.slice(first, first + BATCH);
    const pictures = await generator.draw(batch, truncation.valueAsNumber);
    pictures.forEach((picture, index) => {
      paint(grid.children[first + index].querySelector("canvas"), picture);
    });
    await new Promise((next) => setTimeout(next)); // let the browser paint and handle input
    if (stale.has("faces")) return;
  }
}

// With a normal prior, latents are an affine function of the noise, so interpolated noise gives
// interpolated latents.
async function drawMorph() {
  const [from, to] = pair.map((face) => noises[face]);
  const end = share.valueAsNumber / 100;
  const noise = from.map((value, index) => (1 - end) * value + end * to[index]);
  const [picture] = await generator.draw([noise], truncation.valueAsNumber);
  paint(morph, picture);
}

function paint(canvas, picture) {
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

function fail(error) {
  console.error(error);
  controls.disabled = true;
  main.setAttribute("aria-busy", "false");
  status.textContent = `The page had to stop: ${error.message}`;
}

start().catch(fail);
