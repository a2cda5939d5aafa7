// Blocks of a QBFT chain: a quorum of their validators, by seals that stand beside the header.

import { concat, equal, hex, bigEndian } from "./bytes.js";
import { CheckFailed, EncodingError } from "./errors.js";
import { keccak256 } from "./keccak.js";
import * as rlp from "./rlp.js";
import { SIGNATURE_BYTES, recoverAddress } from "./secp256k1.js";

export const VALIDATORS_MAX = 128;
export const ADDRESS_BYTES = 20;
const NUMBER = 8;
const EXTRA_DATA = 12;
const MIX_HASH = 13;
const MIX_TEXT = new TextEncoder().encode("ctical byzantine fault tolerance");

/** The seals are not those of enough validators of this block. */
export class NotSealed extends CheckFailed {}

/** Whether a block has seals: those of such a chain, but for its genesis. @param {Array} fields of its header */
export function isQbft(fields) {
  const [mix, number] = [fields[MIX_HASH], fields[NUMBER]];
  return mix instanceof Uint8Array && equal(mix, MIX_TEXT) && number.length > 0;
}

/** The validators of a header, where exactly a quorum of them sealed it, in their order. */
export function checkSeals(header, seals) {
  const fields = rlp.decode(header, "header");
  if (!Array.isArray(fields) || !isQbft(fields)) {
    throw new NotSealed("seals: expected the header of a QBFT block");
  }
  const [vanity, validators, vote] = readExtra(fields[EXTRA_DATA]);
  const quorum = Math.ceil((2 * validators.length) / 3);
  if (seals.signatures.length !== quorum) {
    throw new NotSealed(`seals: expected ${quorum} of ${validators.length} validators, got ${seals.signatures.length}`);
  }
  const told = [...fields];
  told[EXTRA_DATA] = rlp.encode([vanity, validators, vote, scalar(seals.round), []]);
  const digest = keccak256(rlp.encode(told));
  const names = validators.map(hex);
  const order = seals.signatures.map((each) => names.indexOf(hex(recoverAddress(digest, each))));
  if (order.some((place, i) => place < 0 || (i > 0 && place <= order[i - 1]))) {
    throw new NotSealed("seals: expected validators of the block, each once, in their order");
  }
  return names;
}

/** `extraData`, RLP [vanity, validators, vote, round, seals], taken apart. */
function readExtra(data) {
  const where = "extraData";
  const items = data instanceof Uint8Array ? rlp.decode(data, where) : null;
  if (!Array.isArray(items) || items.length !== 5) {
    throw new EncodingError(`${where}: expected [vanity, validators, vote, round, seals] of QBFT`);
  }
  const [vanity, listed, vote, round, seals] = items;
  if (!(vanity instanceof Uint8Array) || !Array.isArray(vote) || ![0, 2].includes(vote.length)) {
    throw new EncodingError(`${where}: expected bytes of vanity and a list as vote`);
  }
  const validators = strings(listed, `${where}.validators`, ADDRESS_BYTES);
  if (validators.length === 0 || new Set(validators.map(hex)).size !== validators.length) {
    throw new EncodingError(`${where}: expected validators, each once`);
  }
  rlp.decodeInteger(round, `${where}.round`, 4);
  strings(seals, `${where}.seals`, SIGNATURE_BYTES);
  return [vanity, validators, vote];
}

function strings(items, where, count) {
  if (!Array.isArray(items) || items.length > VALIDATORS_MAX) {
    throw new EncodingError(`${where}: expected a list of at most ${VALIDATORS_MAX}`);
  }
  if (!items.every((each) => each instanceof Uint8Array && each.length === count)) {
    throw new EncodingError(`${where}: expected ${count} bytes each`);
  }
  return items;
}

/** A number as RLP has it: without leading zeros. */
function scalar(value) {
  const octets = bigEndian(value, 8);
  const first = octets.findIndex((byte) => byte !== 0);
  return first < 0 ? concat() : octets.subarray(first);
}
