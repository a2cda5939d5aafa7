// The checkpoint: the state of one log at one sequence, signed by its operator.

import { equal } from "./bytes.js";
import * as cbor from "./cbor.js";
import * as closed from "./closed.js";
import * as cose from "./cose.js";
import { EncodingError, ProofInvalid } from "./errors.js";
import { PROOF_NODES_MAX, verifyConsistency } from "./merkle.js";
import { sha256 } from "./sha256.js";

const CONTENT_TYPE = "application/vnd.tanzheng.checkpoint+cbor";
const TAG = "tanzheng/checkpoint/v1";
const CHECKPOINT_BYTES_MAX = 4096;
const PROOF_BYTES_MAX = 4096;

/** Read a signed checkpoint: its form is checked, its signature not yet. */
export function openSigned(raw) {
  if (raw.length > CHECKPOINT_BYTES_MAX) {
    throw new EncodingError(`checkpoint: expected at most ${CHECKPOINT_BYTES_MAX} bytes, got ${raw.length}`);
  }
  const message = cose.decode1(raw, CONTENT_TYPE);
  return { raw, message, digest: sha256(raw), checkpoint: decode(message.payload) };
}

function decode(payload) {
  const where = "checkpoint";
  const parts = closed.sequence(cbor.loads(payload, where), where, 11, 11);
  if (parts[0] !== TAG) throw new EncodingError(`${where}: expected ${TAG}`);
  const octets = (at, name, count = 32) => closed.octets(parts[at], `${where}.${name}`, count);
  const integer = (at, name, least) => closed.integer(parts[at], `${where}.${name}`, least);
  const checkpoint = {
    chainId: integer(1, "chain_id", 1),
    contract: octets(2, "contract", 20),
    logId: octets(3, "log_id"),
    seq: integer(4, "seq", 1),
    size: integer(5, "size", 1),
    rootSha256: octets(6, "root_sha256"),
    rootSm3: octets(7, "root_sm3"),
    headsRoot: octets(8, "heads_root"),
    previous: octets(9, "previous"),
    tMs: integer(10, "t_ms", 0),
  };
  if (checkpoint.previous.every((byte) => byte === 0) !== (checkpoint.seq === 1)) {
    throw new EncodingError(`${where}.previous: expected a digest exactly from seq 2 on`);
  }
  return checkpoint;
}

/** Read a consistency proof's file: CBOR [first, second, path]. */
export function decodeConsistency(data) {
  const where = "consistency proof";
  const [first, second, path] = closed.sequence(cbor.loads(data, where, PROOF_BYTES_MAX), where, 3, 3);
  return {
    first: closed.integer(first, `${where}.first`, 1),
    second: closed.integer(second, `${where}.second`, 1),
    path: closed.sequence(path, where, PROOF_NODES_MAX).map((node) => closed.octets(node, where, 32)),
  };
}

/** Return where `newer` is a later state of the same log; two of one seq are named equivocation. */
export function checkExtends(older, newer, path) {
  const oneLog =
    older.checkpoint.chainId === newer.checkpoint.chainId &&
    equal(older.checkpoint.contract, newer.checkpoint.contract) &&
    equal(older.checkpoint.logId, newer.checkpoint.logId);
  if (!oneLog) throw new ProofInvalid("checkpoints: expected two of one log, got two logs");
  const [from, to] = [older.checkpoint, newer.checkpoint];
  if (from.seq === to.seq && !equal(older.message.payload, newer.message.payload)) {
    throw new ProofInvalid(`checkpoints: expected one of seq ${from.seq}, got two (equivocation)`);
  }
  if (from.seq > to.seq) throw new ProofInvalid(`checkpoints: expected a seq from ${from.seq}, got ${to.seq}`);
  verifyConsistency(from.size, to.size, path, from.rootSha256, to.rootSha256);
}
