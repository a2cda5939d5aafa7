// Canonical JSON (RFC 8785), for text, whole numbers, booleans, null, lists and maps.

import { equal, utf8 } from "./bytes.js";
import { EncodingError } from "./errors.js";
import * as strictJson from "./strict_json.js";

/** The value whose canonical form is exactly `data`; else `EncodingError` naming `what`. */
export function loads(data, what = "JSON") {
  const value = strictJson.loads(data, what);
  if (!equal(utf8(dumps(value)), data)) {
    throw new EncodingError(`${what}: expected canonical JSON (RFC 8785), got another form`);
  }
  return value;
}

function dumps(value) {
  if (Array.isArray(value)) return `[${value.map(dumps).join(",")}]`;
  if (!(value instanceof Map)) return typeof value === "bigint" ? String(value) : JSON.stringify(value);
  const keys = [...value.keys()].sort(); // JavaScript sorts by UTF-16 units, as RFC 8785 wants
  return `{${keys.map((key) => `${JSON.stringify(key)}:${dumps(value.get(key))}`).join(",")}}`;
}
