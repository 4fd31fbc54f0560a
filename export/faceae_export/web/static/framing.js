// The dialog in which a visitor frames a face as the model's training faces are framed.

const SMALLEST = 0.08; // side of the square, of the photograph's longer side
const STEP = 0.02; // of the square's side, for an arrow key
const OVERSAMPLING = 4; // samples along a side of a pixel of the model's picture

const byId = (id) => document.getElementById(id);

// Return the square of a photograph that a visitor chooses, {x, y, side, turn} in pixels and
// degrees, or null if the visitor cancels.
// guide: places of the eyes and the mouth in the square, from 0 to 1; null: unknown.
export function frameFace(photograph, square, guide, message) {
  const [dialog, view, zoom, turn] = ["framing", "view", "zoom", "turn"].map(byId);
  const framing = { ...square };
  const longer = Math.max(photograph.width, photograph.height);
  const stop = new AbortController();
  const { signal } = stop;

  function show() {
    framing.side = clamp(framing.side, SMALLEST * longer, longer);
    framing.x = clamp(framing.x, 0, photograph.width);
    framing.y = clamp(framing.y, 0, photograph.height);
    zoom.value = (100 * Math.log(longer / framing.side)) / -Math.log(SMALLEST);
    turn.value = framing.turn;
    const context = view.getContext("2d");
    drawSquare(context, photograph, framing, view.width);
    if (guide) drawGuide(context, guide, view.width);
  }

  function move(right, down) {
    const angle = (framing.turn * Math.PI) / 180;
    framing.x -= (right * Math.cos(angle) + down * Math.sin(angle)) * framing.side;
    framing.y -= (down * Math.cos(angle) - right * Math.sin(angle)) * framing.side;
    show();
  }

  function scale(factor) {
    framing.side /= factor;
    show();
  }

  listenToPointers(view, move, scale, signal);
  view.addEventListener("keydown", (event) => pressKey(event, move, scale), { signal });
  zoom.addEventListener("input", () => {
    framing.side = longer * SMALLEST ** (zoom.valueAsNumber / 100);
    show();
  }, { signal });
  turn.addEventListener("input", () => {
    framing.turn = turn.valueAsNumber;
    show();
  }, { signal });
  byId("framing-help").textContent = message;
  show();
  dialog.showModal();
  view.focus();
  return new Promise((resolve) => {
    const close = (result) => {
      stop.abort();
      dialog.close();
      resolve(result);
    };
    byId("use").addEventListener("click", () => close(framing), { signal });
    byId("cancel").addEventListener("click", () => close(null), { signal });
    dialog.addEventListener("cancel", () => close(null), { signal });
  });
}

// Return the square that the training faces' rule cuts from a photograph.
// crop: side of the centre square of aligned pictures, in pixels, or null.
export function centreSquare(photograph, crop, aligned) {
  const { width, height } = photograph;
  const isAligned = width === aligned[0] && height === aligned[1];
  const side = isAligned && crop ? crop : Math.min(width, height);
  return { x: width / 2, y: height / 2, side, turn: 0 };
}

// Return a square of a photograph as an ImageData of size x size pixels, each the mean of the
// pixels below it.
export function cutSquare(photograph, square, size) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = OVERSAMPLING * size;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  drawSquare(context, photograph, square, canvas.width);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.width);
  const picture = new ImageData(size, size);
  for (let at = 0; at < picture.data.length; at += 1) {
    const [x, y, channel] = [(at >> 2) % size, Math.floor((at >> 2) / size), at & 3];
    picture.data[at] = average(data, x, y, channel, canvas.width);
  }
  return picture;
}

function average(data, x, y, channel, width) {
  let sum = 0;
  for (let down = 0; down < OVERSAMPLING; down += 1) {
    for (let right = 0; right < OVERSAMPLING; right += 1) {
      sum += data[4 * ((y * OVERSAMPLING + down) * width + x * OVERSAMPLING + right) + channel];
    }
  }
  return sum / OVERSAMPLING ** 2;
}

function drawSquare(context, photograph, { x, y, side, turn }, width) {
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.fillStyle = "#808080";
  context.fillRect(0, 0, width, width);
  context.imageSmoothingQuality = "high";
  context.translate(width / 2, width / 2);
  context.rotate((turn * Math.PI) / 180);
  context.scale(width / side, width / side);
  context.drawImage(photograph, -x, -y);
  context.setTransform(1, 0, 0, 1, 0, 0);
}

function drawGuide(context, { eyes, mouth }, width) {
  const across = Math.abs(eyes[1][0] - eyes[0][0]) * width;
  const shapes = [
    ...eyes.map(([x, y]) => [x, y, 0.28 * across, 0.15 * across]),
    [...mouth, 0.45 * across, 0.13 * across],
  ];
  for (const [colour, thickness] of [["#000a", 4], ["#fff", 2]]) {
    Object.assign(context, { strokeStyle: colour, lineWidth: thickness });
    for (const [x, y, wide, high] of shapes) {
      context.beginPath();
      context.ellipse(x * width, y * width, wide, high, 0, 0, 2 * Math.PI);
      context.stroke();
    }
  }
}

// One pointer moves the photograph, two also change its size, and so does a wheel.
function listenToPointers(view, move, scale, signal) {
  const pointers = new Map();
  view.addEventListener("pointerdown", (event) => {
    view.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, [event.clientX, event.clientY]);
  }, { signal });
  view.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const now = [event.clientX, event.clientY];
    const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
    if (other) scale(distance(now, other) / Math.max(1, distance(before, other)));
    const share = view.clientWidth * pointers.size;
    move((now[0] - before[0]) / share, (now[1] - before[1]) / share);
    pointers.set(event.pointerId, now);
  }, { signal });
  for (const end of ["pointerup", "pointercancel"]) {
    view.addEventListener(end, (event) => pointers.delete(event.pointerId), { signal });
  }
  view.addEventListener("wheel", (event) => {
    event.preventDefault();
    scale(Math.exp(-event.deltaY / 500));
  }, { signal, passive: false });
}

function pressKey(event, move, scale) {
  const steps = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
  const factors = { "+": 1.05, "=": 1.05, "-": 1 / 1.05 };
  if (event.key in steps) move(...steps[event.key]);
  else if (event.key in factors) scale(factors[event.key]);
  else return;
  event.preventDefault();
}

function distance([x, y], [otherX, otherY]) {
  return Math.hypot(x - otherX, y - otherY);
}

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}
