// Deterministic CBOR (RFC 8949 §4.2), strict: what does not encode back to the same bytes is
// refused while it is read. Of CBOR's types only those that evidence uses are known: integers,
// byte and text strings, arrays, maps with text or integer keys, tag 18, false, true and null.

import { compare, concat, bigEndian, fromUtf8, utf8 } from "./bytes.js";
import { EncodingError } from "./errors.js";

const DEPTH_MAX = 16;
const BYTES_MAX = 16 << 20;
const SIMPLE = new Map([[20, false], [21, true], [22, null]]);

/** A tagged value. */
export class Tag {
  constructor(tag, value) {
    this.tag = tag;
    this.value = value;
  }
}

/** The value whose deterministic encoding is exactly `data`. @param {Uint8Array} data */
export function loads(data, what = "CBOR", bytesMax = BYTES_MAX) {
  if (data.length > bytesMax) {
    throw new EncodingError(`${what}: expected at most ${bytesMax} bytes, got ${data.length}`);
  }
  const reader = { data, at: 0, what };
  const value = item(reader, 0);
  if (reader.at !== data.length) refuse(reader, "trailing bytes");
  return value;
}

function refuse(reader, flaw) {
  throw new EncodingError(`${reader.what}: expected deterministic CBOR, got ${flaw} at byte ${reader.at}`);
}

function item(reader, depth) {
  if (depth > DEPTH_MAX) refuse(reader, "nesting too deep");
  const [major, argument] = head(reader);
  switch (major) {
    case 0: return argument;
    case 1: return typeof argument === "bigint" ? -1n - argument : -1 - argument;
    case 2: return octets(reader, argument);
    case 3: return fromUtf8(octets(reader, argument), reader.what);
    case 4: return array(reader, argument, depth);
    case 5: return map(reader, argument, depth);
    case 6: return new Tag(argument, item(reader, depth + 1));
    default: return simple(reader, argument);
  }
}

/** Major type and argument; a number where it is exact, else a bigint. */
function head(reader) {
  const { data } = reader;
  if (reader.at >= data.length) refuse(reader, "the end");
  const first = data[reader.at++];
  const major = first >> 5;
  const code = first & 31;
  if (code < 24) return [major, code];
  if (code > 27 || major === 7) refuse(reader, "a float, a simple value or an indefinite length");
  const width = 1 << (code - 24);
  if (reader.at + width > data.length) refuse(reader, "the end");
  let argument = 0n;
  for (let i = 0; i < width; i++) argument = (argument << 8n) | BigInt(data[reader.at++]);
  const least = width === 1 ? 24n : 1n << BigInt(4 * width);
  if (argument < least) refuse(reader, "a number longer than needed");
  return [major, argument <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(argument) : argument];
}

function octets(reader, length) {
  if (!(length <= reader.data.length - reader.at)) refuse(reader, "a string beyond the end");
  reader.at += length;
  return reader.data.subarray(reader.at - length, reader.at);
}

function array(reader, count, depth) {
  if (!(count <= reader.data.length - reader.at)) refuse(reader, "a list beyond the end");
  const values = [];
  for (let i = 0; i < count; i++) values.push(item(reader, depth + 1));
  return values;
}

function map(reader, count, depth) {
  if (!(count <= reader.data.length - reader.at)) refuse(reader, "a map beyond the end");
  const found = new Map();
  let before = new Uint8Array(0);
  for (let i = 0; i < count; i++) {
    const start = reader.at;
    const key = item(reader, depth + 1);
    if (typeof key !== "string" && typeof key !== "number") refuse(reader, "a key of another type");
    const encoded = reader.data.subarray(start, reader.at);
    if (!follows(before, encoded)) refuse(reader, "a key twice or out of order");
    found.set(key, item(reader, depth + 1));
    before = encoded;
  }
  return found;
}

/** Shorter keys first, then as bytes: for the keys in use RFC 7049 and RFC 8949 agree. */
function follows(before, key) {
  return before.length === key.length ? compare(before, key) < 0 : before.length < key.length;
}

function simple(reader, code) {
  if (!SIMPLE.has(code)) refuse(reader, "a simple value");
  return SIMPLE.get(code);
}

// ------------------------------------------------------------------ encoding

/** The deterministic encoding of what `loads` returns. */
export function dumps(value) {
  if (value === null) return Uint8Array.of(0xf6);
  if (typeof value === "number") return value < 0 ? prefix(1, -1 - value) : prefix(0, value);
  if (typeof value === "string") return withLength(3, utf8(value));
  if (value instanceof Uint8Array) return withLength(2, value);
  if (Array.isArray(value)) return concat(prefix(4, value.length), ...value.map(dumps));
  if (value instanceof Tag) return concat(prefix(6, value.tag), dumps(value.value));
  if (value instanceof Map && value.size === 0) return prefix(5, 0);
  throw new TypeError(`no CBOR for ${typeof value}`);
}

function withLength(major, data) {
  return concat(prefix(major, data.length), data);
}

function prefix(major, argument) {
  if (argument < 24) return Uint8Array.of((major << 5) | argument);
  const code = argument < 0x100 ? 0 : argument < 0x10000 ? 1 : argument < 0x100000000 ? 2 : 3;
  return concat([(major << 5) | (24 + code)], bigEndian(argument, 1 << code));
}
