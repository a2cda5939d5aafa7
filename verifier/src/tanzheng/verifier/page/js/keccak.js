// Keccak-256 as the EVM computes it (Keccak reference 3.0: rate 1088, padding 0x01 … 0x80).
// A lane of 64 bits is two words of 32: low at 2i, high at 2i + 1.

const RATE_BYTES = 136;

/** Round constants (§1.2): bit 2^j − 1 of round i is the output of an LFSR at step j + 7i. */
function roundConstants() {
  const words = new Int32Array(48);
  let register = 1;
  for (let i = 0; i < 24; i++) {
    for (let j = 0; j < 7; j++) {
      const bit = (1 << j) - 1;
      if (register & 1) words[2 * i + (bit >> 5)] |= 1 << (bit & 31);
      register = (register << 1) ^ (register & 0x80 ? 0x171 : 0);
    }
  }
  return words;
}

/** For each target lane x + 5y: [the lane it comes from, by how much it is turned]. */
function rhoPi() {
  const moves = [[0, 0]];
  let [x, y] = [1, 0];
  for (let t = 0; t < 24; t++) {
    const target = y + 5 * ((2 * x + 3 * y) % 5);
    moves[target] = [x + 5 * y, (((t + 1) * (t + 2)) / 2) % 64];
    [x, y] = [y, (2 * x + 3 * y) % 5];
  }
  return moves;
}

const CONSTANTS = roundConstants();
const MOVES = rhoPi();
const B = new Int32Array(50);
const C = new Int32Array(10);

function theta(a) {
  for (let x = 0; x < 10; x++) C[x] = a[x] ^ a[x + 10] ^ a[x + 20] ^ a[x + 30] ^ a[x + 40];
  for (let x = 0; x < 5; x++) {
    const left = 2 * ((x + 4) % 5);
    const right = 2 * ((x + 1) % 5);
    const low = C[left] ^ ((C[right] << 1) | (C[right + 1] >>> 31));
    const high = C[left + 1] ^ ((C[right + 1] << 1) | (C[right] >>> 31));
    for (let lane = 2 * x; lane < 50; lane += 10) {
      a[lane] ^= low;
      a[lane + 1] ^= high;
    }
  }
}

function turnLane(a, to, from, n) {
  const low = n < 32 ? a[2 * from] : a[2 * from + 1];
  const high = n < 32 ? a[2 * from + 1] : a[2 * from];
  const by = n & 31;
  B[2 * to] = by ? (low << by) | (high >>> (32 - by)) : low;
  B[2 * to + 1] = by ? (high << by) | (low >>> (32 - by)) : high;
}

function permute(a) {
  for (let round = 0; round < 24; round++) {
    theta(a);
    for (let to = 0; to < 25; to++) turnLane(a, to, MOVES[to][0], MOVES[to][1]);
    for (let row = 0; row < 50; row += 10) {
      for (let x = 0; x < 10; x++) a[row + x] = B[row + x] ^ (~B[row + ((x + 2) % 10)] & B[row + ((x + 4) % 10)]);
    }
    a[0] ^= CONSTANTS[2 * round];
    a[1] ^= CONSTANTS[2 * round + 1];
  }
}

/** @param {Uint8Array} data @returns {Uint8Array} 32 bytes */
export function keccak256(data) {
  const padded = new Uint8Array(data.length + RATE_BYTES - (data.length % RATE_BYTES));
  padded.set(data);
  padded[data.length] ^= 0x01;
  padded[padded.length - 1] ^= 0x80;
  const view = new DataView(padded.buffer);
  const state = new Int32Array(50);
  for (let start = 0; start < padded.length; start += RATE_BYTES) {
    for (let i = 0; i < RATE_BYTES / 4; i++) state[i] ^= view.getInt32(start + 4 * i, true);
    permute(state);
  }
  const out = new DataView(new ArrayBuffer(32));
  for (let i = 0; i < 8; i++) out.setInt32(4 * i, state[i], true);
  return new Uint8Array(out.buffer);
}
