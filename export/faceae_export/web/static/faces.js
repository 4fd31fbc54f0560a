// The page: draws faces of a seed, takes photographs, changes faces, and morphs between two of them.

import { openBrowser } from "./browser.js";
import { makeEdits } from "./edits.js";
import { centreSquare, cutSquare, frameFace } from "./framing.js";
import { encodeGif } from "./gif.js";
import { fetchWithKey } from "./key.js";
import { readLink, writeLink } from "./link.js";
import { download, enlarge, paint, toBlob } from "./pictures.js";
import { openServer } from "./server.js";

const NUM_FACES = 12;
const LAST_START = 999_988;
const PLAY_MS = 2400; // from one face to the other
const FILM_FRAMES = 24; // from one face to the other
const FRAME_CS = 7; // hundredths of a second that a frame of a GIF is shown
const PAUSE_CS = 60; // for the two faces themselves

const byId = (id) => document.getElementById(id);
const [controls, status, seed, variety] = ["controls", "status", "seed", "variety"].map(byId);
const [grid, share, morph, between] = ["grid", "share", "morph", "between"].map(byId);
const [ease, play, place] = ["ease", "play", "place"].map(byId);
const main = document.querySelector("main");
const cards = [...document.querySelectorAll(".end")];
const ROLES = ["From", "To"];

let facts; // model.json
let openers; // by place: functions that open what computes
let faces; // what computes: see openBrowser
let edits;
let start = 0; // number of the first face of the grid
// The two faces of the morph: a number of the seed, or a photograph with its square.
const ends = [{ number: 0 }, { number: 1 }];
let active = 0; // the end that takes the next face
let seedNumber = 1n; // the last valid content of the field
const stale = new Set(); // parts of the page to draw again: "ends", "morph", "faces"
let isDrawing = false;
let isReady = false;

async function begin() {
  status.textContent = "Loading…";
  facts = await readJson("./model.json");
  edits = makeEdits(facts.attributes, await readVectors(), () => redraw("morph"));
  openers = await findPlaces();
  byId("places").hidden = openers.size < 2;
  [place.value] = openers.keys();
  for (let index = 0; index < NUM_FACES; index += 1) grid.append(makeButton(index));
  listen();
  followLink();
  await move();
  keepForOffline();
}

// Return what can compute, the server first.
async function findPlaces() {
  const places = new Map();
  const server = await readJson("./server.json").catch(() => ({ tasks: [] }));
  const needed = ["sample", "encode", "decode"];
  if (needed.every((task) => server.tasks.includes(task))) {
    places.set("server", () => openServer(facts));
  }
  if (facts.browser) places.set("browser", () => openBrowser(facts));
  if (places.size === 0) {
    throw new Error("The server does not answer, and this page has no model of its own. Are you online?");
  }
  return places;
}

// Compute where the visitor wishes.
async function move() {
  isReady = false;
  controls.disabled = true;
  main.setAttribute("aria-busy", "true");
  say("Loading the model…");
  const isServer = place.value === "server";
  faces = await openers.get(place.value)();
  byId("privacy").textContent = isServer
    ? "Photographs are sent to this server to be computed."
    : "Photographs stay in this browser.";
  byId("footer").textContent = isServer
    ? "The server computes these faces."
    : "A trained model computes these faces in this browser, with ONNX Runtime Web (MIT licence, Microsoft Corporation).";
  say("");
  controls.disabled = false;
  isReady = true;
  redraw("ends", "morph", "faces");
}

function listen() {
  seed.addEventListener("change", takeSeed);
  byId("another").addEventListener("click", () => {
    seed.value = crypto.getRandomValues(new Uint32Array(1))[0];
    takeSeed();
  });
  variety.addEventListener("input", () => {
    showVariety();
    redraw("ends", "morph", "faces");
  });
  byId("earlier").addEventListener("click", () => turnTo(start - NUM_FACES));
  byId("later").addEventListener("click", () => turnTo(start + NUM_FACES));
  share.addEventListener("input", () => {
    stopPlaying();
    redraw("morph");
  });
  place.addEventListener("change", () => move().catch(fail));
  window.addEventListener("hashchange", () => {
    followLink();
    redraw("ends", "morph", "faces");
  });
  play.addEventListener("click", () => {
    if (!playing) return startPlaying();
    stopPlaying();
    redraw("morph");
  });
  byId("save").addEventListener("click", () => attempt(savePicture));
  byId("film").addEventListener("click", () => attempt(saveFilm));
  byId("link").addEventListener("click", () => attempt(copyLink));
  cards.forEach(listenToCard);
  listenToDrags();
}

function listenToCard(card, end) {
  const file = card.querySelector("input");
  card.querySelector(".face").addEventListener("click", () => {
    active = end;
    showEnds();
  });
  card.querySelector(".upload").addEventListener("click", () => file.click());
  card.querySelector(".reframe").addEventListener("click", () => attempt(() => frameAgain(end)));
  file.addEventListener("change", () => {
    const [photograph] = file.files;
    file.value = ""; // the same file may be chosen again
    if (photograph) attempt(() => takePhotograph(end, photograph));
  });
  card.addEventListener("dragover", (event) => event.preventDefault());
  card.addEventListener("drop", (event) => {
    event.preventDefault();
    const [photograph] = event.dataTransfer.files;
    if (photograph) attempt(() => takePhotograph(end, photograph));
  });
}

// Dragging across the picture moves from one face to the other.
function listenToDrags() {
  const follow = (event) => {
    const { left, width } = morph.getBoundingClientRect();
    share.value = (100 * (event.clientX - left)) / width;
    redraw("morph");
  };
  let isDragging = false;
  morph.addEventListener("pointerdown", (event) => {
    stopPlaying();
    isDragging = true;
    morph.setPointerCapture(event.pointerId); // also outside of the window
    follow(event);
  });
  window.addEventListener("pointermove", (event) => {
    if (isDragging) follow(event);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    window.addEventListener(end, () => {
      isDragging = false;
    });
  }
}

function makeButton(index) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(document.createElement("canvas"), document.createElement("span"));
  button.firstChild.width = button.firstChild.height = facts.imageSize;
  button.addEventListener("click", () => choose(start + index));
  return button;
}

function takeSeed() {
  if (!seed.reportValidity()) return;
  seedNumber = BigInt(seed.value);
  redraw("ends", "morph", "faces");
}

function turnTo(first) {
  start = Math.min(Math.max(first, 0), LAST_START);
  redraw("faces");
}

function choose(number) {
  ends[active] = { number, latents: ends[active].latents }; // until its own are computed
  active = 1 - active;
  redraw("ends", "morph");
}

async function takePhotograph(end, file) {
  const photograph = await createImageBitmap(file).catch(() => {
    throw new Error(`${file.name}: this browser cannot read it as a picture. Choose a JPEG, PNG or WebP file.`);
  });
  say("");
  const found = { photograph, name: file.name, square: centreSquare(photograph, facts.crop, facts.aligned) };
  if (faces.encodePhotograph) {
    try {
      found.latents = await faces.encodePhotograph(photograph);
      setPhotograph(end, found);
      return;
    } catch (error) {
      if (!error.noFace) throw error;
      await letFrame(end, found, "The server found no face that it can use.");
      return;
    }
  }
  await letFrame(end, found);
}

async function frameAgain(end) {
  await letFrame(end, { ...ends[end] });
}

async function letFrame(end, found, problem = "") {
  const aim = facts.guide ? "until the eyes and the mouth lie on the marks" : "to frame the face as the model's training faces are framed";
  const message = `${problem} Drag and zoom ${aim}.`.trim();
  const square = await frameFace(found.photograph, found.square, facts.guide, message);
  if (!square) return;
  const picture = cutSquare(found.photograph, square, facts.imageSize);
  setPhotograph(end, { ...found, square, latents: await faces.encode(picture) });
}

function setPhotograph(end, found) {
  ends[end] = found;
  active = 1 - end;
  redraw("ends", "morph");
}

function describe(end) {
  return end.photograph ? end.name : `face ${end.number}`;
}

function showEnds() {
  ends.forEach((end, index) => {
    const button = cards[index].querySelector(".face");
    const what = describe(end);
    button.setAttribute("aria-pressed", index === active);
    button.setAttribute("aria-label", `${ROLES[index]}: ${what}${index === active ? ", takes the next face" : ""}`);
    button.querySelector("span").textContent = what;
    button.title = what;
    cards[index].querySelector(".reframe").hidden = !end.photograph;
  });
  between.textContent = `From ${describe(ends[0])} to ${describe(ends[1])}`;
  [...grid.children].forEach((button, index) => {
    const roles = ends.flatMap((end, place) => (end.number === start + index ? [ROLES[place].toLowerCase()] : []));
    button.setAttribute("aria-pressed", roles.length > 0);
    button.querySelector("span").textContent = [`Face ${start + index}`, ...roles].join(", ");
  });
  byId("earlier").disabled = start === 0;
  byId("later").disabled = start === LAST_START;
}

function showVariety() {
  byId("level").value = variety.valueAsNumber.toFixed(2);
}

function redraw(...parts) {
  parts.forEach((part) => stale.add(part));
  if (isReady && !isDrawing) drawStale();
}

// One batch is computed at a time, so a single loop draws everything.
async function drawStale() {
  isDrawing = true;
  main.setAttribute("aria-busy", "true");
  keepLinkSoon();
  try {
    while (stale.size > 0) {
      if (stale.delete("ends")) await drawEnds();
      else if (stale.delete("morph")) await drawMorph();
      else if (stale.delete("faces")) await drawFaces();
    }
  } catch (error) {
    stale.clear();
    stopPlaying();
    report(error);
  }
  main.setAttribute("aria-busy", "false");
  isDrawing = false;
}

async function drawEnds() {
  showEnds();
  const drawn = [...ends]; // the visitor may choose others meanwhile
  for (const end of drawn) {
    if (end.photograph) continue;
    [end.latents] = await faces.sample(seedNumber, end.number, 1, variety.valueAsNumber);
  }
  const pictures = await faces.decode(drawn.map((end) => end.latents));
  pictures.forEach((picture, index) => paint(cards[index].querySelector("canvas"), picture));
}

async function drawFaces() {
  showEnds();
  const first = start;
  const latents = await faces.sample(seedNumber, first, NUM_FACES, variety.valueAsNumber);
  const step = place.value === "server" ? NUM_FACES : 4;
  let index = 0;
  for (; index < NUM_FACES && !stale.size; index += step) {
    const pictures = await faces.decode(latents.slice(index, index + step));
    pictures.forEach((picture, offset) => paint(grid.children[index + offset].querySelector("canvas"), picture));
  }
  if (index < NUM_FACES) stale.add("faces"); // what is missing comes later
}

async function drawMorph() {
  const [picture] = await faces.decode([blend(share.valueAsNumber / 100)]);
  paint(morph, picture);
}

// Return the changed latents at a position between the two faces, from 0 to 1.
function blend(position) {
  const [from, to] = ends.map((end) => end.latents);
  return edits.apply(from.map((value, index) => (1 - position) * value + position * to[index]));
}

// Start and stop gently, if the visitor wishes so.
function soften(position) {
  return ease.checked ? position * position * (3 - 2 * position) : position;
}

let playing = 0; // request of the next frame

function startPlaying() {
  const began = performance.now() - PLAY_MS * unsoften(share.valueAsNumber / 100);
  const step = (now) => {
    const turns = Math.max(0, now - began) / PLAY_MS;
    const position = turns % 2 < 1 ? turns % 1 : 1 - (turns % 1);
    share.value = 100 * soften(position);
    if (!isDrawing) redraw("morph");
    playing = requestAnimationFrame(step);
  };
  playing = requestAnimationFrame(step);
  showPlaying();
}

// Return the position that `soften` moves to `position`.
function unsoften(position) {
  return ease.checked ? 0.5 - Math.sin(Math.asin(1 - 2 * position) / 3) : position;
}

function stopPlaying() {
  if (!playing) return;
  cancelAnimationFrame(playing);
  playing = 0;
  showPlaying();
}

function showPlaying() {
  play.textContent = playing ? "Pause" : "Play";
  play.setAttribute("aria-pressed", playing !== 0);
}

async function savePicture() {
  const [picture] = await faces.decode([blend(share.valueAsNumber / 100)]);
  download(await toBlob(enlarge(picture), "image/png"), "face.png");
}

// There and back again, so that it repeats without a jump.
async function saveFilm() {
  say("Drawing the GIF…");
  const positions = Array.from({ length: FILM_FRAMES }, (_, index) => soften(index / (FILM_FRAMES - 1)));
  const pictures = await faces.decode(positions.map(blend));
  const there = pictures.map((picture) => {
    const canvas = enlarge(picture);
    return canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.width).data;
  });
  const frames = [...there, ...there.slice(1, -1).reverse()];
  const delays = frames.map((_, index) => (index % (FILM_FRAMES - 1) === 0 ? PAUSE_CS : FRAME_CS));
  const size = Math.sqrt(frames[0].length / 4);
  download(new Blob(encodeGif(frames, size, delays), { type: "image/gif" }), "morph.gif");
  say("");
}

async function copyLink() {
  keepLink();
  const without = ends.some((end) => end.photograph) ? " It does not hold your photographs." : "";
  try {
    await navigator.clipboard.writeText(location.href);
    say(`The link is copied.${without}`);
  } catch {
    say(`Copy the address of this page: it is the link.${without}`);
  }
}

// Browsers refuse to change the address many times a second.
let linkTimer;

function keepLinkSoon() {
  clearTimeout(linkTimer);
  linkTimer = setTimeout(() => {
    if (!playing) keepLink();
  }, 200);
}

function keepLink() {
  const link = {
    seed: seedNumber,
    start,
    from: ends[0].number,
    to: ends[1].number,
    at: Math.round(share.valueAsNumber),
    variety: variety.valueAsNumber,
    edits: edits.strengths(),
  };
  history.replaceState(null, "", writeLink(link));
}

function followLink() {
  const link = readLink(location.hash);
  if (link.seed !== undefined) {
    seed.value = link.seed;
    seedNumber = BigInt(link.seed);
  }
  start = link.start ?? start;
  if (link.from !== undefined) ends[0] = { number: link.from, latents: ends[0].latents };
  if (link.to !== undefined) ends[1] = { number: link.to, latents: ends[1].latents };
  share.value = link.at ?? share.value;
  variety.value = link.variety ?? variety.value;
  const unknown = edits.set(link.edits);
  showVariety();
  linkProblem = unknown.length > 0 ? `This model cannot change ${unknown.join(", ")}, which the link asks for.` : "";
}

let linkProblem = "";

// Run what a visitor asked for. A failure is shown in words, and the page goes on.
async function attempt(action) {
  controls.setAttribute("aria-busy", "true");
  main.setAttribute("aria-busy", "true");
  try {
    await action();
  } catch (error) {
    report(error);
  }
  controls.setAttribute("aria-busy", "false");
  if (!isDrawing) main.setAttribute("aria-busy", "false");
}

function say(text) {
  status.textContent = text || linkProblem;
}

function report(error) {
  console.warn(error);
  say(error.message);
}

function fail(error) {
  console.error(error);
  controls.disabled = true;
  main.setAttribute("aria-busy", "false");
  status.textContent = `The page had to stop: ${error.message}`;
}

async function readJson(url) {
  const response = await fetch(url, { cache: "no-cache" });
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
  return response.json();
}

// Return what strength 1 of each attribute adds to latents.
async function readVectors() {
  if (facts.attributes.length === 0) return [];
  const response = await fetchWithKey("./directions.bin", { cache: "no-cache" });
  if (!response.ok) throw new Error(`./directions.bin: ${response.status} ${response.statusText}`);
  const numbers = new Float32Array(await response.arrayBuffer());
  return facts.attributes.map((_, row) => numbers.slice(row * facts.latentSize, (row + 1) * facts.latentSize));
}

function keepForOffline() {
  if ("serviceWorker" in navigator) navigator.serviceWorker.register("./sw.js").catch(() => {});
}

begin().catch(fail);
