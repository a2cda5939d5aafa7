// Block headers and storage proofs of an EVM chain (EIP-1186; yellow paper, appendix D).
// A proof of absence is refused: a receipt only claims presence.

import { bigEndian, concat, equal, hex, shortHex } from "./bytes.js";
import { EncodingError, ProofInvalid } from "./errors.js";
import { keccak256 } from "./keccak.js";
import { isQbft } from "./qbft.js";
import * as rlp from "./rlp.js";

/** Storage position of the mapping seq → head in the contract. */
const HEADS_SLOT = 3;
export const HEADER_BYTES_MAX = 4096;
export const PROOF_NODES_MAX = 64;
export const NODE_BYTES_MAX = 1024;
const FIELDS_MIN = 15;
const STATE_ROOT = 3;
const NUMBER = 8;
const TIMESTAMP = 11;

/** keccak256(u256 seq ‖ u256 HEADS_SLOT). @param {number} seq */
export function headSlot(seq) {
  return keccak256(concat(bigEndian(seq, 32), bigEndian(HEADS_SLOT, 32)));
}

/** Read a header's RLP. @returns {{hash: Uint8Array, number: bigint, stateRoot: Uint8Array, timeS: bigint}} */
export function decodeHeader(data) {
  const items = rlp.decode(data, "header");
  if (!Array.isArray(items) || items.length < FIELDS_MIN) {
    throw new EncodingError(`header: expected a list of at least ${FIELDS_MIN} fields`);
  }
  const stateRoot = items[STATE_ROOT];
  if (!is32(stateRoot)) throw new EncodingError("header: expected a state root of 32 bytes");
  return {
    hash: keccak256(data),
    number: rlp.decodeInteger(items[NUMBER], "header number"),
    stateRoot,
    timeS: rlp.decodeInteger(items[TIMESTAMP], "header timestamp"),
    sealable: isQbft(items),
  };
}

/** The storage root of the account `address`, proved under `stateRoot`. */
export function storageRoot(stateRoot, address, proof) {
  const account = rlp.decode(trieValue(stateRoot, address, proof, "account proof"), "account");
  if (!Array.isArray(account) || account.length !== 4 || !is32(account[2])) {
    throw new EncodingError("account: expected [nonce, balance, storage root, code hash]");
  }
  return account[2];
}

/** The 32 bytes in storage at `slot`. */
export function slotValue(root, slot, proof) {
  const value = rlp.decode(trieValue(root, slot, proof, "slot proof"), "slot");
  rlp.decodeInteger(value, "slot", 32);
  return concat(new Uint8Array(32 - value.length), value);
}

/** The value under Keccak(`key`) of the trie `root`; `proof` holds the nodes of the way, no more. */
export function trieValue(root, key, proof, what) {
  if (proof.length > PROOF_NODES_MAX || proof.some((node) => node.length > NODE_BYTES_MAX)) {
    throw new ProofInvalid(`${what}: expected at most ${PROOF_NODES_MAX} nodes of ${NODE_BYTES_MAX} bytes`);
  }
  let digits = hex(keccak256(key));
  let target = root;
  let used = 0;
  for (;;) {
    const inside = Array.isArray(target);
    const node = inside ? target : resolve(target, proof[used++], what);
    if (node.length === 17 && digits) {
      target = node[parseInt(digits[0], 16)];
      digits = digits.slice(1);
      continue;
    }
    const [part, isLeaf] = hexPrefix(node, what);
    if (!digits.startsWith(part)) throw absent(what);
    target = node[1];
    digits = digits.slice(part.length);
    if (isLeaf) break;
  }
  if (digits || Array.isArray(target) || used !== proof.length) {
    throw new ProofInvalid(`${what}: expected the proof to end at the key's value`);
  }
  return target;
}

/** The node that a parent names by its hash. */
function resolve(target, data, what) {
  if (target.length === 0) throw absent(what);
  if (data === undefined || !equal(keccak256(data), target)) {
    throw new ProofInvalid(`${what}: expected a node with hash ${shortHex(target)}`);
  }
  const node = rlp.decode(data, what);
  if (!Array.isArray(node)) throw new ProofInvalid(`${what}: expected a trie node, got a byte string`);
  return node;
}

/** The hex digits of a short node's path, and whether it is a leaf. */
function hexPrefix(node, what) {
  const path = node.length === 2 ? node[0] : null;
  if (!(path instanceof Uint8Array) || path.length === 0 || path[0] >= 0x40) {
    throw new ProofInvalid(`${what}: expected a branch, an extension or a leaf`);
  }
  const digits = hex(path);
  if (path[0] & 0x10) return [digits.slice(1), path[0] >= 0x20];
  if (digits[1] !== "0") throw new ProofInvalid(`${what}: expected a zero digit before an even path`);
  return [digits.slice(2), path[0] >= 0x20];
}

function absent(what) {
  return new ProofInvalid(`${what}: expected the key in the trie, got a proof of absence`);
}

function is32(value) {
  return value instanceof Uint8Array && value.length === 32;
}
