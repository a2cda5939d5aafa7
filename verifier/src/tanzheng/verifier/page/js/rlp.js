// Recursive Length Prefix (Ethereum yellow paper, appendix B), strict: one value, one encoding.

import { bigEndian, concat } from "./bytes.js";
import { EncodingError } from "./errors.js";

const DEPTH_MAX = 8;

/** The encoding of bytes, or of a list of items. */
export function encode(item) {
  if (!Array.isArray(item)) {
    return item.length === 1 && item[0] < 0x80 ? item : concat(prefix(0x80, item.length), item);
  }
  const body = concat(...item.map(encode));
  return concat(prefix(0xc0, body.length), body);
}

function prefix(base, length) {
  if (length < 56) return [base + length];
  const octets = bigEndian(length, 8);
  const size = octets.subarray(octets.findIndex((byte) => byte !== 0));
  return concat([base + 55 + size.length], size);
}

/** The one item in `data`: bytes, or a list of items. @param {Uint8Array} data */
export function decode(data, what = "RLP") {
  const [item, end] = decodeAt(data, 0, data.length, what, 0);
  if (end !== data.length) throw new EncodingError(`${what}: expected ${end} bytes, got ${data.length - end} more`);
  return item;
}

/** A scalar of at most eight bytes, exact as a bigint; no leading zeros. */
export function decodeInteger(item, what, bytesMax = 8) {
  if (!(item instanceof Uint8Array) || item.length > bytesMax || item[0] === 0) {
    throw new EncodingError(`${what}: expected a scalar of at most ${bytesMax} bytes`);
  }
  return item.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

function decodeAt(data, start, limit, what, depth) {
  if (depth > DEPTH_MAX) throw new EncodingError(`${what}: expected at most ${DEPTH_MAX} nested lists`);
  if (start >= limit) throw new EncodingError(`${what}: expected an item at byte ${start}, got the end`);
  const first = data[start];
  if (first < 0x80) return [data.subarray(start, start + 1), start + 1];
  const base = first < 0xc0 ? 0x80 : 0xc0;
  const [begin, end] = span(data, start, limit, first - base, what);
  if (base === 0x80) {
    if (end - begin === 1 && data[begin] < 0x80) {
      throw new EncodingError(`${what}: expected the short form at byte ${start}`);
    }
    return [data.subarray(begin, end), end];
  }
  const parts = [];
  for (let at = begin; at < end; ) {
    const [part, next] = decodeAt(data, at, end, what, depth + 1);
    parts.push(part);
    at = next;
  }
  return [parts, end];
}

/** [begin, end) of the content whose prefix stands at `start`. */
function span(data, start, limit, code, what) {
  let begin = start + 1;
  let length = code;
  if (code > 55) {
    begin = start + 1 + code - 55;
    const size = data.subarray(start + 1, begin);
    length = size.reduce((value, byte) => value * 256 + byte, 0);
    if (length < 56 || size[0] === 0) {
      throw new EncodingError(`${what}: expected the shortest length at byte ${start}`);
    }
  }
  if (begin + length > limit) {
    throw new EncodingError(`${what}: expected ${length} bytes at byte ${begin}, got fewer`);
  }
  return [begin, begin + length];
}
