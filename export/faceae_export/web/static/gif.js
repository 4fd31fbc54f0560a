// Writes animated GIF files (GIF89a): one palette for all frames, by median cut, and LZW.

const NUM_COLOURS = 256;
const LEVELS = 32; // of each channel, where colours are counted
const MAX_CODES = 4096;
const CLEAR = NUM_COLOURS;
const END = NUM_COLOURS + 1;

// Return the bytes of a GIF that repeats for ever.
// frames: RGBA bytes of size x size pixels each; delays: of each frame, in hundredths of a second.
export function encodeGif(frames, size, delays) {
  const { palette, indexOf } = makePalette(frames);
  const file = [...text("GIF89a"), ...word(size), ...word(size), 0xf7, 0, 0, ...palette];
  file.push(0x21, 0xff, 11, ...text("NETSCAPE2.0"), 3, 1, 0, 0, 0);
  const parts = [Uint8Array.from(file)];
  frames.forEach((rgba, number) => {
    const control = [0x21, 0xf9, 4, 4, ...word(delays[number]), 0, 0];
    const place = [0x2c, 0, 0, 0, 0, ...word(size), ...word(size), 0, 8];
    parts.push(Uint8Array.from([...control, ...place]), toBlocks(compress(rgba, indexOf)));
  });
  parts.push(Uint8Array.of(0x3b));
  return parts;
}

function text(characters) {
  return [...characters].map((character) => character.charCodeAt(0));
}

function word(number) {
  return [number & 0xff, number >> 8];
}

function bin(red, green, blue) {
  return ((red >> 3) * LEVELS + (green >> 3)) * LEVELS + (blue >> 3);
}

// Return the palette, 256 x 3 bytes, and the palette's index of each bin of colours.
function makePalette(frames) {
  const boxes = cut(countColours(frames));
  const palette = new Uint8Array(3 * NUM_COLOURS);
  const indexOf = new Uint8Array(LEVELS ** 3);
  boxes.forEach((colours, index) => {
    const total = colours.reduce((sum, colour) => sum + colour.count, 0);
    for (let channel = 0; channel < 3; channel += 1) {
      const sum = colours.reduce((all, colour) => all + colour.sums[channel], 0);
      palette[3 * index + channel] = Math.round(sum / total);
    }
    colours.forEach((colour) => (indexOf[colour.bin] = index));
  });
  return { palette, indexOf };
}

// Return the colours of all frames: the number of pixels in each bin and the sums of their channels.
function countColours(frames) {
  const counts = new Float64Array(LEVELS ** 3);
  const sums = [0, 1, 2].map(() => new Float64Array(LEVELS ** 3));
  for (const rgba of frames) {
    for (let at = 0; at < rgba.length; at += 4) {
      const place = bin(rgba[at], rgba[at + 1], rgba[at + 2]);
      counts[place] += 1;
      for (let channel = 0; channel < 3; channel += 1) sums[channel][place] += rgba[at + channel];
    }
  }
  const used = [...counts.keys()].filter((place) => counts[place] > 0);
  return used.map((place) => ({
    bin: place,
    count: counts[place],
    sums: sums.map((each) => each[place]),
    means: sums.map((each) => each[place] / counts[place]),
  }));
}

// Cut the box of colours with the largest spread, times the root of its pixels, until there are 256.
function cut(colours) {
  const boxes = [measure(colours)];
  while (boxes.length < NUM_COLOURS) {
    const widest = boxes.reduce((best, box) => (box.spread > best.spread ? box : best));
    if (widest.spread === 0) break;
    boxes.splice(boxes.indexOf(widest), 1, ...halve(widest).map(measure));
  }
  return boxes.map((box) => box.colours);
}

function measure(colours) {
  const ranges = [0, 1, 2].map((channel) => {
    let [low, high] = [Infinity, -Infinity];
    for (const { means } of colours) {
      low = Math.min(low, means[channel]);
      high = Math.max(high, means[channel]);
    }
    return high - low;
  });
  const total = colours.reduce((sum, colour) => sum + colour.count, 0);
  const range = Math.max(...ranges);
  const spread = colours.length > 1 ? range * Math.sqrt(total) : 0;
  return { colours, channel: ranges.indexOf(range), total, spread };
}

// Return the two halves of a box's pixels, along its longest side.
function halve({ colours, channel, total }) {
  colours.sort((one, other) => one.means[channel] - other.means[channel]);
  let [passed, at] = [0, 0];
  do passed += colours[at++].count;
  while (passed < total / 2 && at < colours.length - 1);
  return [colours.slice(0, at), colours.slice(at)];
}

// Return the LZW codes of a frame as bytes.
function compress(rgba, indexOf) {
  const bits = new BitWriter();
  const codes = new Map(); // of a prefix's code and the next index
  let width = 9;
  let next = END + 1;
  bits.write(CLEAR, width);
  let prefix = indexOf[bin(rgba[0], rgba[1], rgba[2])];
  for (let at = 4; at < rgba.length; at += 4) {
    const index = indexOf[bin(rgba[at], rgba[at + 1], rgba[at + 2])];
    const key = prefix * NUM_COLOURS + index;
    const code = codes.get(key);
    if (code !== undefined) {
      prefix = code;
      continue;
    }
    bits.write(prefix, width);
    if (next < MAX_CODES) {
      codes.set(key, next);
      if (next === 1 << width) width += 1;
      next += 1;
    } else {
      bits.write(CLEAR, width);
      codes.clear();
      [width, next] = [9, END + 1];
    }
    prefix = index;
  }
  bits.write(prefix, width);
  bits.write(END, width);
  return bits.finish();
}

class BitWriter {
  #bytes = [];
  #held = 0;
  #count = 0;

  write(code, width) {
    this.#held |= code << this.#count;
    this.#count += width;
    while (this.#count >= 8) {
      this.#bytes.push(this.#held & 0xff);
      this.#held >>>= 8;
      this.#count -= 8;
    }
  }

  finish() {
    if (this.#count > 0) this.#bytes.push(this.#held & 0xff);
    return this.#bytes;
  }
}

function toBlocks(bytes) {
  const blocks = [];
  for (let first = 0; first < bytes.length; first += 255) {
    const block = bytes.slice(first, first + 255);
    blocks.push(block.length, ...block);
  }
  blocks.push(0);
  return Uint8Array.from(blocks);
}
