// The page: the first faces of a seed, and the way from one of them to another.

import { openGenerator } from "./generator.js";
import { latentNoise } from "./noise.js";

const NUM_FACES = 12;
const BATCH = 4; // faces drawn at once; between batches the page answers

const byId = (id) => document.getElementById(id);
const [controls, status, seed, truncation] = ["controls", "status", "seed", "truncation"].map(byId);
const [grid, share, morph, between] = ["grid", "share", "morph", "between"].map(byId);
const main = document.querySelector("main");

let generator;
let noises; // of the seed's faces
let pair = [0, 1]; // the faces that the morph goes from and to
const stale = new Set(); // of "faces" and "morph": what must be drawn again
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

// Make a face the morph's end, and its end so far the start.
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

// The generator draws one thing at a time, so one loop draws all.
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
    await new Promise((next) => setTimeout(next)); // show them, and hear what the user does
    if (stale.has("faces")) return;
  }
}

// A latent is a matrix times its noise, and the mean: what blends noise blends latents alike.
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
