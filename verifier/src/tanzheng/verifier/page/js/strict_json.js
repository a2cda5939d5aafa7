// JSON from outside: bounded, each key once, whole numbers only. Objects become `Map`s.
// `JSON.parse` keeps the last of two equal keys and rounds what it cannot hold.

import { fromUtf8 } from "./bytes.js";
import { EncodingError } from "./errors.js";

const DEPTH_MAX = 64;
const BYTES_MAX = 64 << 20;
const SPACE = /[ \t\n\r]*/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?![0-9.eE])/y;
const WORDS = new Map([["true", true], ["false", false], ["null", null]]);
const WORD = /true|false|null/y;

/** The value of `data`; `EncodingError` naming `what` for anything else. */
export function loads(data, what = "JSON", bytesMax = BYTES_MAX) {
  if (data.length > bytesMax) {
    throw new EncodingError(`${what}: expected at most ${bytesMax} bytes, got ${data.length}`);
  }
  const reader = { text: fromUtf8(data, what), at: 0, what };
  const found = value(reader, 0);
  if (reader.at !== reader.text.length) refuse(reader);
  return found;
}

function refuse(reader, flaw = "something else") {
  throw new EncodingError(`${reader.what}: expected strict JSON, got ${flaw} at character ${reader.at}`);
}

/** The text of the next token by a sticky pattern, null where it is not one. */
function take(reader, pattern) {
  pattern.lastIndex = reader.at;
  const found = pattern.exec(reader.text);
  if (found === null) return null;
  reader.at = pattern.lastIndex;
  return found[0];
}

function punctuation(reader, mark) {
  take(reader, SPACE);
  if (reader.text[reader.at] !== mark) return false;
  reader.at++;
  take(reader, SPACE);
  return true;
}

function value(reader, depth) {
  take(reader, SPACE);
  const brackets = "{[".includes(reader.text[reader.at] ?? " ");
  if (brackets && depth === DEPTH_MAX) refuse(reader, "nesting too deep");
  let found;
  if (punctuation(reader, "{")) found = object(reader, depth);
  else if (punctuation(reader, "[")) found = list(reader, depth);
  else found = scalar(reader);
  take(reader, SPACE);
  return found;
}

function scalar(reader) {
  const string = take(reader, STRING);
  if (string !== null) return JSON.parse(string);
  const number = take(reader, NUMBER);
  if (number !== null) return Number.isSafeInteger(Number(number)) ? Number(number) + 0 : BigInt(number);
  const word = take(reader, WORD);
  return word === null ? refuse(reader) : WORDS.get(word);
}

function object(reader, depth) {
  const found = new Map();
  if (punctuation(reader, "}")) return found;
  do {
    const key = take(reader, STRING);
    if (key === null || !punctuation(reader, ":")) refuse(reader);
    const name = JSON.parse(key);
    if (found.has(name)) refuse(reader, "a duplicate key");
    found.set(name, value(reader, depth + 1));
  } while (punctuation(reader, ","));
  if (!punctuation(reader, "}")) refuse(reader);
  return found;
}

function list(reader, depth) {
  const found = [];
  if (punctuation(reader, "]")) return found;
  do found.push(value(reader, depth + 1));
  while (punctuation(reader, ","));
  if (!punctuation(reader, "]")) refuse(reader);
  return found;
}
