// Readers for closed records: an exact key set, each value of one type, nothing left over.
// Records are `Map`s, from CBOR and from JSON alike. Every reader throws `EncodingError`.

import { EncodingError } from "./errors.js";
import { fromHex } from "./bytes.js";
import { Tag } from "./cbor.js";

const TEXT_CHARS_MAX = 4096;
const IDENTIFIER = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const NOT_PRINTABLE = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u;
const DECIMAL = /^-?(0|[1-9][0-9]{0,29})(\.[0-9]{1,12})?$/;

/** `value` as a map with exactly `keys`. @param {Iterable<string|number>} keys */
export function record(value, keys, where) {
  const found = mapping(value, where);
  const expected = new Set(keys);
  const missing = [...expected].filter((key) => !found.has(key)).sort();
  const unknown = [...found.keys()].filter((key) => !expected.has(key)).map((key) => String(key).slice(0, 40));
  if (missing.length || unknown.length) {
    throw new EncodingError(
      `${where}: expected exactly the keys ${[...expected].join(", ")}; ` +
        `missing: ${missing.join(", ") || "none"}; unknown: ${unknown.join(", ") || "none"}`,
    );
  }
  return found;
}

/** `value` where it is a map. @returns {Map<any, any>} */
export function mapping(value, where) {
  if (!(value instanceof Map)) throw new EncodingError(`${where}: expected a map, got ${shown(value)}`);
  return value;
}

/** `version` is exactly `known`. */
export function version(source, known, where) {
  const found = integer(source.get("version"), `${where}.version`);
  if (found !== known) throw new EncodingError(`${where}.version: expected ${known}, got ${found}`);
}

/** One line of printable text. */
export function text(value, where) {
  if (typeof value !== "string" || [...value].length > TEXT_CHARS_MAX || NOT_PRINTABLE.test(value)) {
    throw new EncodingError(`${where}: expected a line of text, got ${shown(value)}`);
  }
  return value;
}

/** An integer from `least` to 2^53 - 1. */
export function integer(value, where, least = 0) {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new EncodingError(`${where}: expected an integer from ${least} to 2^53-1, got ${shown(value)}`);
  }
  return value;
}

/** A list of at most `countMax` items, of exactly `count` where that is given. */
export function sequence(value, where, countMax, count = null) {
  if (!Array.isArray(value) || value.length > countMax || (count !== null && value.length !== count)) {
    throw new EncodingError(`${where}: expected a list of ${count ?? `at most ${countMax}`}, got ${shown(value)}`);
  }
  return value;
}

/** A byte string (CBOR), of exactly `count` bytes where that is given. */
export function octets(value, where, count = null) {
  if (!(value instanceof Uint8Array) || (count !== null && value.length !== count)) {
    throw new EncodingError(`${where}: expected ${count ?? "some"} bytes, got ${shown(value)}`);
  }
  return value;
}

/** A lower-case hexadecimal text of exactly `count` bytes (JSON). */
export function hexadecimal(value, where, count) {
  if (typeof value !== "string" || value.length !== 2 * count || !/^[0-9a-f]*$/.test(value)) {
    throw new EncodingError(`${where}: expected ${count} bytes in hexadecimal, got ${shown(value)}`);
  }
  return fromHex(value);
}

/** A plain decimal number as text. */
export function decimal(value, where) {
  if (typeof value !== "string" || !DECIMAL.test(value)) {
    throw new EncodingError(`${where}: expected a decimal number as text, got ${shown(value)}`);
  }
  return value;
}

/** An identifier: letters, digits, '.', '_', '-'; at most 63. */
export function identifier(value, where) {
  if (typeof value !== "string" || !IDENTIFIER.test(value)) {
    throw new EncodingError(`${where}: expected an identifier, got ${shown(value)}`);
  }
  return value;
}

/** One identifier, or two with `/` between. */
export function packName(value, where) {
  const parts = typeof value === "string" ? value.split("/") : [];
  if (parts.length < 1 || parts.length > 2) throw new EncodingError(`${where}: expected NAME or STANDARD/VERSION`);
  parts.forEach((part) => identifier(part, where));
  return value;
}

/** The subject of a statement, ENTERPRISE/UNIT/PERIOD/KIND. */
export function subject(value, where) {
  const parts = typeof value === "string" ? value.split("/") : [];
  if (parts.length !== 4) throw new EncodingError(`${where}: expected ENTERPRISE/UNIT/PERIOD/KIND, got ${shown(value)}`);
  parts.forEach((part) => identifier(part, where));
  return value;
}

/** Entries that must not repeat. @param {Array<string|number>} values */
export function eachOnce(values, where) {
  if (new Set(values).size !== values.length) throw new EncodingError(`${where}: expected each entry once`);
}

/** Entries that must rise. @param {string[]} values of ASCII */
export function ascending(values, where) {
  if (values.some((value, i) => i > 0 && values[i - 1] >= value)) {
    throw new EncodingError(`${where}: expected ascending order without repeats`);
  }
}

function shown(value) {
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (value instanceof Map) return "a map";
  if (value instanceof Tag) return `tag ${value.tag}`;
  return JSON.stringify(typeof value === "bigint" ? String(value) : value)?.slice(0, 60) ?? "nothing";
}
