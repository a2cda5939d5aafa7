// The structure of an OpenTimestamps proof: which digest it starts from, what it ends in.

import { concat, equal, hex, utf8 } from "./bytes.js";
import { CheckFailed, EncodingError } from "./errors.js";

const MAGIC = concat([0], utf8("OpenTimestamps"), [0, 0], utf8("Proof"), [0, 0xbf, 0x89, 0xe2, 0xe8, 0x84, 0xe8, 0x92, 0x94]);
const VERSION = 1;
const SHA256 = 0x08;
const DEPTH_MAX = 256;
const ITEM_BYTES_MAX = 4096;
const ATTESTATION = 0x00;
const FORK = 0xff;
const UNARY = [0x02, 0x03, SHA256, 0x67, 0xf2, 0xf3];
const BINARY = [0xf0, 0xf1];
const TAGS = new Map([
  ["83dfe30d2ef90c8e", "pending"], ["0588960d73d71901", "Bitcoin block"], ["06869a0d73d71b45", "Litecoin block"],
]);

/** A proof in order, but of another digest. */
class ProofForeign extends CheckFailed {}

/** What a proof of `digest` (SHA-256) ends in; it is read, not checked. */
export function checkStructure(data, digest) {
  const reader = { data, at: 0 };
  if (!equal(take(reader, MAGIC.length), MAGIC) || number(reader) !== VERSION) {
    throw new EncodingError("opentimestamps: expected a detached proof of version 1");
  }
  if (take(reader, 1)[0] !== SHA256) throw new EncodingError("opentimestamps: expected a proof of a SHA-256 digest");
  const found = take(reader, digest.length);
  const ends = timestamp(reader, 0);
  if (reader.at !== data.length) throw new EncodingError(`opentimestamps: expected the end at ${reader.at}, got more`);
  if (!equal(found, digest)) {
    throw new ProofForeign(`opentimestamps: expected a proof of ${hex(digest)}, got ${hex(found)}`);
  }
  return ends.join(", ");
}

function take(reader, count) {
  const piece = reader.data.subarray(reader.at, reader.at + count);
  if (piece.length !== count) throw new EncodingError(`opentimestamps: expected ${count} bytes at ${reader.at}, got the end`);
  reader.at += count;
  return piece;
}

/** LEB128, the shortest spelling. */
function number(reader) {
  let value = 0;
  for (let scale = 1; ; scale *= 128) {
    const [byte] = take(reader, 1);
    value += (byte & 0x7f) * scale;
    if ((byte === 0 && scale > 1) || value > ITEM_BYTES_MAX * 2 ** 20) {
      throw new EncodingError(`opentimestamps: expected a short number at ${reader.at}`);
    }
    if (byte < 0x80) return value;
  }
}

function octets(reader) {
  const length = number(reader);
  if (length > ITEM_BYTES_MAX) throw new EncodingError(`opentimestamps: expected at most ${ITEM_BYTES_MAX} bytes`);
  return take(reader, length);
}

/** One node: branches behind fork marks, then the last one. */
function timestamp(reader, depth) {
  if (depth > DEPTH_MAX) throw new EncodingError(`opentimestamps: expected at most ${DEPTH_MAX} operations in a row`);
  const ends = [];
  let [tag] = take(reader, 1);
  for (; tag === FORK; [tag] = take(reader, 1)) ends.push(...branch(reader, take(reader, 1)[0], depth));
  return [...ends, ...branch(reader, tag, depth)];
}

function branch(reader, tag, depth) {
  if (tag === ATTESTATION) {
    const name = TAGS.get(hex(take(reader, 8))) ?? "unknown";
    const payload = { data: octets(reader), at: 0 };
    return [name.endsWith("block") ? `${name} ${number(payload)}` : name];
  }
  if (BINARY.includes(tag)) octets(reader);
  else if (!UNARY.includes(tag)) throw new EncodingError(`opentimestamps: expected an operation, got ${tag}`);
  return timestamp(reader, depth + 1);
}
