// How a field of a statement is read: a form is a function of a value and of where it stands, that
// returns what it means or throws `EncodingError`. Each kind is a table of forms (kinds.js).

import { compare, utf8 } from "./bytes.js";
import * as closed from "./closed.js";
import { EncodingError } from "./errors.js";
import { KID_BYTES, VerifyKey } from "./keys.js";

const ITEMS_MAX = 1024;

/** A byte string of `count` bytes. */
export const octets = (count) => (value, where) => closed.octets(value, where, count);

/** An integer from `least` to 2^53 - 1. */
export const integer = (least = 0) => (value, where) => closed.integer(value, where, least);

/** One of some words. */
export const word = (...words) => (value, where) => {
  if (!words.includes(value)) throw new EncodingError(`${where}: expected one of ${words.join(", ")}`);
  return value;
};

export const digest = octets(32);
export const keyId = octets(KID_BYTES);
export const count = integer();
export const positive = integer(1);
export const identifier = closed.identifier;
export const text = closed.text;
export const decimal = closed.decimal;
export const subject = (value, where) => closed.subject(closed.text(value, where), where);
export const publicKey = (value, where) => new VerifyKey(closed.octets(value, where), where);

/** A value or null. */
export const optional = (form) => (value, where) => (value === null ? null : form(value, where));

/** A list of `least` to `most` values. */
export const many = (form, { least = 0, most = ITEMS_MAX } = {}) => (value, where) => {
  const found = closed.sequence(value, where, most);
  if (found.length < least) throw new EncodingError(`${where}: expected at least ${least}, got ${found.length}`);
  return found.map((item, i) => form(item, `${where}[${i}]`));
};

/** Like `many`, ascending by `key` (a value, or a list of values) without repeats. */
export const ascending = (form, { least, most, key = (item) => item } = {}) => {
  const listed = many(form, { least, most });
  return (value, where) => {
    const found = listed(value, where);
    const keys = found.map((item) => [key(item)].flat());
    if (keys.some((each, i) => i > 0 && order(keys[i - 1], each) >= 0)) {
      throw new EncodingError(`${where}: expected ascending order without repeats`);
    }
    return found;
  };
};

/** A map with exactly these fields; `log_id` becomes `logId`. */
export const record = (fields) => (value, where) => take(fields, closed.record(value, Object.keys(fields), where), where);

/** Read these fields of a map whose keys were checked. */
export function take(fields, source, where) {
  const found = {};
  for (const [name, form] of Object.entries(fields)) {
    found[name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase())] = form(source.get(name), `${where}.${name}`);
  }
  return found;
}

/** By the first part that differs: numbers, byte strings, or text by code points. */
function order(a, b) {
  for (const [i, part] of a.entries()) {
    const found = typeof part === "number" ? part - b[i] : compare(octetsOf(part), octetsOf(b[i]));
    if (found !== 0) return found;
  }
  return 0;
}

function octetsOf(part) {
  return typeof part === "string" ? utf8(part) : part;
}
