// Byte strings: `Uint8Array` everywhere, compared and shown the same way.

/** @typedef {Uint8Array} Bytes */

import { EncodingError } from "./errors.js";

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const HEX = Array.from({ length: 256 }, (_, n) => n.toString(16).padStart(2, "0"));

/** @param {Bytes} data @returns {string} */
export function hex(data) {
  return Array.from(data, (byte) => HEX[byte]).join("");
}

/** The first eight bytes, for a reader. @param {Bytes} data */
export function shortHex(data) {
  return `${hex(data.subarray(0, 8))}…`;
}

/** @param {string} text lower-case digits, an even number @returns {Bytes} */
export function fromHex(text) {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** @param {...(Bytes|number[])} parts @returns {Bytes} */
export function concat(...parts) {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** @param {Bytes} a @param {Bytes} b */
export function equal(a, b) {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Negative, zero or positive, as bytes sort. @param {Bytes} a @param {Bytes} b */
export function compare(a, b) {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    if (a[i] !== b[i]) return a[i] - b[i];
  }
  return a.length - b.length;
}

/** `value` in `count` bytes, the most significant first. @param {number} value */
export function bigEndian(value, count) {
  const out = new Uint8Array(count);
  for (let i = count - 1, rest = value; i >= 0; i--) {
    out[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return out;
}

/** @param {string} text @returns {Bytes} */
export function utf8(text) {
  return new TextEncoder().encode(text);
}

/** @param {Bytes} data @param {string} what */
export function fromUtf8(data, what) {
  try {
    return UTF8.decode(data);
  } catch {
    throw new EncodingError(`${what}: expected UTF-8`);
  }
}
