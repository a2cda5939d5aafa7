// SM3 (GB/T 32905-2016): the second digest of every file of a package.

import { digest64 } from "./sha256.js";

const START = [
  0x7380166f, 0x4914b2b9, 0x172442d7, 0xda8a0600, 0xa96f30bc, 0x163138aa, 0xe38dee4d, 0xb0fb0e4e,
];
const W = new Int32Array(68);
const T = Int32Array.from({ length: 64 }, (_, j) => turn(j < 16 ? 0x79cc4519 : 0x7a879d8a, j % 32));

function turn(word, n) {
  return (word << n) | (n ? word >>> (32 - n) : 0);
}

function expand(data, at) {
  for (let i = 0; i < 16; i++, at += 4) {
    W[i] = (data[at] << 24) | (data[at + 1] << 16) | (data[at + 2] << 8) | data[at + 3];
  }
  for (let i = 16; i < 68; i++) {
    const x = W[i - 16] ^ W[i - 9] ^ turn(W[i - 3], 15);
    W[i] = x ^ turn(x, 15) ^ turn(x, 23) ^ turn(W[i - 13], 7) ^ W[i - 6];
  }
}

function compress(state, data, at) {
  expand(data, at);
  let [a, b, c, d, e, f, g, h] = state;
  for (let j = 0; j < 64; j++) {
    const a12 = turn(a, 12);
    const ss1 = turn((a12 + e + T[j]) | 0, 7);
    const ff = j < 16 ? a ^ b ^ c : (a & b) | (a & c) | (b & c);
    const gg = j < 16 ? e ^ f ^ g : (e & f) | (~e & g);
    const tt1 = (ff + d + (ss1 ^ a12) + (W[j] ^ W[j + 4])) | 0;
    const tt2 = (gg + h + ss1 + W[j]) | 0;
    d = c;
    c = turn(b, 9);
    b = a;
    a = tt1;
    h = g;
    g = turn(f, 19);
    f = e;
    e = tt2 ^ turn(tt2, 9) ^ turn(tt2, 17);
  }
  [a, b, c, d, e, f, g, h].forEach((word, i) => {
    state[i] ^= word;
  });
}

/** @param {Uint8Array} data @returns {Uint8Array} 32 bytes */
export function sm3(data) {
  return digest64(data, START, compress);
}
