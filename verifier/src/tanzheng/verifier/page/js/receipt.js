// The receipt: one closed byte string, taken apart; nothing in it is trusted yet.

import * as cbor from "./cbor.js";
import * as checkpoint from "./checkpoint.js";
import * as closed from "./closed.js";
import { EncodingError } from "./errors.js";
import { HEADER_BYTES_MAX, NODE_BYTES_MAX, PROOF_NODES_MAX as EVM_NODES_MAX } from "./evm.js";
import * as inclusion from "./inclusion.js";
import { PROOF_NODES_MAX } from "./merkle.js";
import { VALIDATORS_MAX } from "./qbft.js";
import { SIGNATURE_BYTES } from "./secp256k1.js";
import * as statement from "./statement.js";

const VERSION = 1;
const RECEIPT_BYTES_MAX = 2 << 20;
const ATTESTATION_BYTES_MAX = 64 << 10;
export const COSIGNATURES = "cosignatures";
export const RFC3161 = "rfc3161";
export const OPENTIMESTAMPS = "opentimestamps";
export const ATTESTATIONS = [RFC3161, OPENTIMESTAMPS, "second_chain", COSIGNATURES];
const ENVELOPE_KEYS = ["version", "core", "attestations"];
const CORE_KEYS = ["version", "transparent", "checkpoint", "heads", "evm"];

/** Read an envelope and its core; `EncodingError` names the first part out of shape. */
export function decode(data) {
  if (data.length > RECEIPT_BYTES_MAX) {
    throw new EncodingError(`receipt: expected at most ${RECEIPT_BYTES_MAX} bytes, got ${data.length}`);
  }
  const envelope = closed.record(cbor.loads(data, "receipt"), ENVELOPE_KEYS, "receipt");
  closed.version(envelope, VERSION, "receipt");
  const attestations = readAttestations(envelope.get("attestations"));
  const coreBytes = closed.octets(envelope.get("core"), "receipt core");
  const core = closed.record(cbor.loads(coreBytes, "receipt core"), CORE_KEYS, "receipt core");
  closed.version(core, VERSION, "receipt core");
  const signedCheckpoint = checkpoint.openSigned(closed.octets(core.get("checkpoint"), "receipt checkpoint"));
  const [bare, proof] = inclusion.detach(closed.octets(core.get("transparent"), "receipt transparent"));
  const signedStatement = statement.openSigned(bare);
  return {
    statement: signedStatement,
    inclusion: inclusion.decode(proof, signedCheckpoint.checkpoint.rootSha256),
    checkpoint: signedCheckpoint,
    ...readHeads(core.get("heads"), signedStatement.statement.subject),
    evm: readEvm(core.get("evm")),
    attestations,
    core: coreBytes,
  };
}

function readAttestations(value) {
  const where = "receipt.attestations";
  const found = closed.mapping(value, where);
  for (const [kind, data] of found) {
    if (!ATTESTATIONS.includes(kind)) throw new EncodingError(`${where}: expected keys among ${ATTESTATIONS.join(", ")}`);
    if (closed.octets(data, `${where}.${kind}`).length > ATTESTATION_BYTES_MAX) {
      throw new EncodingError(`${where}.${kind}: expected at most ${ATTESTATION_BYTES_MAX} bytes`);
    }
  }
  return found;
}

function readHeads(value, subject) {
  const where = "receipt.heads";
  const [seq, digest, index, count, path] = closed.sequence(value, where, 5, 5);
  return {
    head: { subject, seq: closed.integer(seq, `${where}.seq`, 1), digest: closed.octets(digest, `${where}.digest`, 32) },
    place: {
      index: closed.integer(index, `${where}.index`),
      count: closed.integer(count, `${where}.count`),
      path: closed.sequence(path, `${where}.path`, PROOF_NODES_MAX).map((node) => closed.octets(node, `${where}.path`, 32)),
    },
  };
}

function readEvm(value) {
  const where = "receipt.evm";
  const sealed = closed.mapping(value, where).has("seals");
  const source = closed.record(value, ["header", "account", "slot", ...(sealed ? ["seals"] : [])], where);
  const header = closed.octets(source.get("header"), `${where}.header`);
  if (header.length > HEADER_BYTES_MAX) throw new EncodingError(`${where}.header: expected at most ${HEADER_BYTES_MAX} bytes`);
  return {
    header,
    account: readNodes(source.get("account"), `${where}.account`),
    slot: readNodes(source.get("slot"), `${where}.slot`),
    seals: sealed ? readSeals(source.get("seals")) : null,
  };
}

function readSeals(value) {
  const where = "receipt.evm.seals";
  const [round, listed] = closed.sequence(value, where, 2, 2);
  return {
    round: closed.integer(round, `${where}.round`),
    signatures: closed.sequence(listed, where, VALIDATORS_MAX).map((each) => closed.octets(each, where, SIGNATURE_BYTES)),
  };
}

function readNodes(value, where) {
  const nodes = closed.sequence(value, where, EVM_NODES_MAX);
  if (!nodes.every((node) => node instanceof Uint8Array && node.length <= NODE_BYTES_MAX)) {
    throw new EncodingError(`${where}: expected nodes of at most ${NODE_BYTES_MAX} bytes`);
  }
  return nodes;
}
