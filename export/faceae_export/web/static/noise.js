// The noise that `faceae generate` uses: NumPy's standard_normal in float32 from Philox 4x64.
//
// Philox is from Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011). Normal numbers
// come from the ziggurat of Marsaglia and Tsang, "The Ziggurat Method for Generating Random
// Variables" (2000), with 256 layers. Layer 0 is the lowest and has the tail.

const MULTIPLIERS = [0xd2e7470ee14c6c93n, 0xca5a826395121157n];
const KEY_STEPS = [0x9e3779b97f4a7c15n, 0xbb67ae8584caa73bn];
const NUM_ROUNDS = 10;
const BLOCK_FACES = 64;

const NUM_LAYERS = 256;
const TAIL = 3.6541528853610088; // x at which layer 0 ends and the tail begins
const LAYER_AREA = 0.0049286732339746519;
const MAGNITUDES = 2 ** 23;
const LAYERS = makeLayers();

// Return the noise of faces `start` to `start + count - 1` of a seed, `latentSize` numbers each. The
// seed is a BigInt in [0, 2^64).
export function latentNoise(seed, start, count, latentSize) {
  const noises = [];
  let words;
  for (let face = start - (start % BLOCK_FACES); face < start + count; face += 1) {
    if (face % BLOCK_FACES === 0) words = philox(seed, BigInt(face / BLOCK_FACES));
    const noise = Float32Array.from({ length: latentSize }, () => normal(words));
    if (face >= start) noises.push(noise);
  }
  return noises;
}

// Yield random integers of 32 bits. Each block of faces has its own part of the counter.
function* philox(seed, block) {
  for (let counter = 1n; ; counter += 1n) {
    for (const word of encrypt([counter, 0n, 0n, block], [seed, 0n])) {
      yield Number(low(word, 32));
      yield Number(word >> 32n);
    }
  }
}

function encrypt([a, b, c, d], [left, right]) {
  for (let round = 0; round < NUM_ROUNDS; round += 1) {
    const first = a * MULTIPLIERS[0];
    const second = c * MULTIPLIERS[1];
    [a, c] = [(second >> 64n) ^ b ^ left, (first >> 64n) ^ d ^ right];
    [b, d] = [low(second, 64), low(first, 64)];
    left = low(left + KEY_STEPS[0], 64);
    right = low(right + KEY_STEPS[1], 64);
  }
  return [a, b, c, d];
}

function low(number, bits) {
  return BigInt.asUintN(bits, number);
}

function normal(words) {
  for (;;) {
    const word = words.next().value;
    const layer = LAYERS[word & 0xff];
    const magnitude = word >>> 9;
    const x = (word & 0x100 ? -1 : 1) * Math.fround(magnitude * layer.step);
    if (magnitude < layer.sure) return x;
    if (layer === LAYERS[0]) return tail(words, magnitude);
    const height = layer.bottom + (layer.top - layer.bottom) * uniform(words);
    if (height < density(x)) return x;
  }
}

function tail(words, magnitude) {
  for (;;) {
    const beyond = -Math.log1p(-uniform(words)) / TAIL;
    const height = -Math.log1p(-uniform(words));
    if (2 * height > beyond * beyond) return (magnitude & 0x100 ? -1 : 1) * (TAIL + beyond);
  }
}

function uniform(words) {
  return (words.next().value >>> 8) / 2 ** 24;
}

// The density of the normal distribution, scaled to 1 at 0.
function density(x) {
  return Math.exp(-0.5 * x * x);
}

// Return the layers. Of each: the step between two magnitudes, the magnitude below which a point
// surely lies under the density, and the densities at its two edges.
function makeLayers() {
  const edges = Array(NUM_LAYERS).fill(0);
  edges[NUM_LAYERS - 1] = TAIL;
  for (let layer = NUM_LAYERS - 2; layer > 0; layer -= 1) {
    const outer = edges[layer + 1];
    edges[layer] = Math.sqrt(-2 * Math.log(LAYER_AREA / outer + density(outer)));
  }
  const layers = edges.slice(1).map((edge, index) => makeLayer(edge, edges[index]));
  // The box of layer 0 has the same area as the others, and ends here.
  return [makeLayer(LAYER_AREA / density(TAIL), TAIL), ...layers];
}

function makeLayer(edge, inner) {
  return {
    step: Math.fround(edge / MAGNITUDES),
    sure: Math.trunc((inner / edge) * MAGNITUDES),
    bottom: Math.fround(density(edge)),
    top: Math.fround(density(inner)),
  };
}
