// The checks of a receipt, point by point: what is proved, and what was not asked.

import { equal, hex } from "./bytes.js";
import { checkExtends } from "./checkpoint.js";
import { CheckFailed, NotAsked, ProofInvalid } from "./errors.js";
import { decodeHeader, headSlot, slotValue, storageRoot } from "./evm.js";
import { verifyCurrent } from "./heads.js";
import { verifyInclusion } from "./merkle.js";
import { checkStructure } from "./opentimestamps.js";
import { instant, point } from "./points.js";
import { COSIGNATURES, OPENTIMESTAMPS, RFC3161 } from "./receipt.js";
import { sha256 } from "./sha256.js";
import { NotSealed, checkSeals } from "./qbft.js";
import { checkTimestamp } from "./timestamp.js";
import { Untrusted } from "./trust.js";
import { checkWitnessed, decodeAll } from "./witness.js";

/** How far the operator's clock may run ahead of the chain's. */
const CLOCK_SKEW_MS_MAX = 15_000;

/** The statement was the current one once; a later one took its place. */
class Superseded extends CheckFailed {}

/** Checkpoint, contract, chain and block do not fit together. */
class AnchorInvalid extends CheckFailed {}

/**
 * The points of a receipt against the trust file; `keyring`: with the key events that are known;
 * `last`, `consistency` null where not given.
 */
export async function checkReceipt(receipt, trust, keyring, last = null, consistency = null, cosignatures = []) {
  let header = null; // four points rest on the block; its header is hashed once
  const block = () => (header ??= trustedHeader(receipt, trust));
  const checks = {
    included: () => included(receipt),
    signer: () => signer(receipt, keyring, block()),
    current: () => current(receipt),
    consistent: () => consistent(receipt, trust, last, consistency),
    not_before: () => notBefore(receipt, trust, block()),
    not_after: () => notAfter(receipt, block()),
    anchor: () => anchor(receipt, trust, block()),
  };
  if (receipt.evm.seals !== null || sealable(receipt)) checks.sealed = () => sealed(receipt, trust);
  if (trust.witnesses !== null) checks.witnessed = () => witnessed(receipt, trust.witnesses, cosignatures);
  const points = [];
  for (const [name, check] of Object.entries(checks)) points.push(await point(name, async () => check()));
  for (const kind of receipt.attestations.keys()) {
    if (kind === COSIGNATURES) continue; // `witnessed`, where the trust file names witnesses
    points.push(await point(kind, async () => attestation(receipt, kind, trust)));
  }
  return points;
}

/** What is beside the core: checked where the trust file has somebody for it, else read where its form is known. */
function attestation(receipt, kind, trust) {
  const data = receipt.attestations.get(kind);
  if (kind === RFC3161 && trust.timestampAuthorities.length > 0) {
    return checkTimestamp(data, receipt.core, trust.timestampAuthorities);
  }
  if (kind === OPENTIMESTAMPS) {
    const ends = checkStructure(data, sha256(receipt.core));
    throw new NotAsked(`carried, not checked: of this core, ends in ${ends}`);
  }
  throw new NotAsked(`carried, not checked: ${data.length} B`);
}

/**
 * Where and by when the chain proves a receipt's statement, whoever signed it; else the error of the
 * point. It need not be the current one of its subject.
 */
export function logged(receipt, trust) {
  const header = trustedHeader(receipt, trust);
  included(receipt);
  verifyCurrent(receipt.head, receipt.place, receipt.checkpoint.checkpoint.headsRoot);
  anchor(receipt, trust, header);
  notAfter(receipt, header);
  return { index: receipt.inclusion.index, tMs: header.timeS * 1000, signed: receipt.statement };
}

function included({ checkpoint: { checkpoint }, inclusion, statement }) {
  if (inclusion.size !== checkpoint.size) {
    throw new ProofInvalid(`inclusion: expected the checkpoint's size ${checkpoint.size}, got ${inclusion.size}`);
  }
  verifyInclusion(statement.leafHash, inclusion.index, checkpoint.size, inclusion.path, checkpoint.rootSha256);
  return `leaf ${inclusion.index} of ${checkpoint.size}, checkpoint ${checkpoint.seq}`;
}

/** Resolve where keys of the log's operator, valid at `tMs`, signed checkpoint and inclusion. */
export async function checkLogSigned(receipt, keyring, tMs) {
  const last = receipt.checkpoint.checkpoint.size - 1;
  const { issuer } = receipt.statement.statement;
  for (const { message } of [receipt.checkpoint, receipt.inclusion]) {
    await message.verify(keyring.key("operator", issuer, message.kid, last, tMs));
  }
}

/** All three signatures, by keys valid at the time the chain proves, not the time claimed. */
async function signer(receipt, keyring, block) {
  const tMs = block.timeS * 1000;
  await keyring.check({ index: receipt.inclusion.index, tMs, signed: receipt.statement });
  await checkLogSigned(receipt, keyring, tMs);
  return `${receipt.statement.statement.issuer}, key ${hex(receipt.statement.message.kid)}, at ${instant(tMs)}`;
}

function current({ checkpoint: { checkpoint }, statement: stated, head, place }) {
  verifyCurrent(head, place, checkpoint.headsRoot);
  const asOf = `as of checkpoint ${checkpoint.seq} (${instant(checkpoint.tMs)})`;
  if (head.seq !== stated.statement.seq || !equal(head.digest, stated.digest)) {
    throw new Superseded(`superseded ${asOf} by seq ${head.seq}, ${hex(head.digest)}`);
  }
  return `seq ${stated.statement.seq} of ${stated.statement.subject}, ${asOf}`;
}

async function consistent(receipt, trust, last, consistency) {
  if (last === null) throw new NotAsked("no last checkpoint given");
  await last.message.verify(trust.operator(last.message.kid, last.checkpoint.tMs));
  const [older, newer] = [last, receipt.checkpoint].sort((a, b) => a.checkpoint.seq - b.checkpoint.seq);
  const [first, second] = [older.checkpoint.size, newer.checkpoint.size];
  const proof = consistency ?? { first, second, path: [] };
  if (proof.first !== first || proof.second !== second) {
    throw new ProofInvalid(
      `consistency: expected a proof from ${first} to ${second}, got one from ${proof.first} to ${proof.second}`,
    );
  }
  checkExtends(older, newer, proof.path);
  return `${first} → ${second} leaves, checkpoints ${older.checkpoint.seq} → ${newer.checkpoint.seq}`;
}

function notBefore(receipt, trust, anchored) {
  const named = receipt.statement.statement.notBefore;
  const block = trust.block(named.hash);
  if (block === null) throw new NotAsked(`block ${named.number} was not observed`);
  if (block.number !== named.number || block.number > anchored.number) {
    throw new AnchorInvalid(
      `not before: expected a block up to ${anchored.number}, got ${named.number} with the hash of ${block.number}`,
    );
  }
  return `${instant(block.timeS * 1000)}, block ${block.number}`;
}

function notAfter(receipt, block) {
  const claimed = receipt.checkpoint.checkpoint.tMs;
  const proved = block.timeS * 1000;
  if (claimed > proved + CLOCK_SKEW_MS_MAX) {
    throw new AnchorInvalid(`not after: expected a checkpoint time up to ${instant(proved)}, got ${instant(claimed)}`);
  }
  return `${instant(proved)}, block ${block.number}`;
}

function anchor(receipt, trust, header) {
  const { checkpoint, digest } = receipt.checkpoint;
  const oneLog =
    checkpoint.chainId === trust.chainId &&
    equal(checkpoint.contract, trust.contract) &&
    equal(checkpoint.logId, trust.logId);
  if (!oneLog) {
    throw new AnchorInvalid(
      `anchor: expected chain ${trust.chainId}, contract 0x${hex(trust.contract)}, log ${hex(trust.logId)}; ` +
        `got ${checkpoint.chainId}, 0x${hex(checkpoint.contract)}, ${hex(checkpoint.logId)}`,
    );
  }
  const root = storageRoot(header.stateRoot, trust.contract, receipt.evm.account);
  const stored = slotValue(root, headSlot(checkpoint.seq), receipt.evm.slot);
  if (!equal(stored, digest)) {
    throw new AnchorInvalid(`anchor: expected head[${checkpoint.seq}] = ${hex(digest)}, got ${hex(stored)}`);
  }
  return (
    `EVM chain ${trust.chainId}, contract 0x${hex(trust.contract)}, head[${checkpoint.seq}] ` +
    `in block ${header.number}; final by ${header.observed ? "the observer's record" : "its validators' seals"}`
  );
}

/** Whether seals belong beside the header, so that nobody can take them away. */
function sealable(receipt) {
  try {
    return decodeHeader(receipt.evm.header).sealable;
  } catch {
    return false; // the points that rest on the block say so
  }
}

/** A quorum of the block's own validators, who must be those on trust where it names any. */
function sealed(receipt, trust) {
  const { seals, header: raw } = receipt.evm;
  const { number } = decodeHeader(raw);
  if (seals === null) throw new NotSealed("seals: expected those of the chain's validators, got none");
  const validators = checkSeals(raw, seals);
  const whose = `${seals.signatures.length} of ${validators.length} validators, block ${number}`;
  if (trust.validators.length === 0) return `${whose}; the trust file names none`;
  const trusted = trust.validatorsAt(number);
  if (trusted.size !== validators.length || !validators.every((each) => trusted.has(each))) {
    throw new NotSealed(`seals: expected the validators on trust, got ${whose}`);
  }
  return whose;
}

/** k of n witnesses, by cosignatures from the envelope and from beside it. */
function witnessed(receipt, policy, further) {
  const carried = receipt.attestations.get(COSIGNATURES);
  const found = [...further, ...(carried === undefined ? [] : decodeAll(carried))];
  return checkWitnessed(receipt.checkpoint, found, policy);
}

/** The receipt's header where the observer recorded that block, or validators on trust sealed it. */
function trustedHeader(receipt, trust) {
  const header = decodeHeader(receipt.evm.header);
  const block = trust.block(header.hash);
  if (block === null && trust.validators.length > 0) {
    sealed(receipt, trust);
    return { stateRoot: header.stateRoot, number: exact(header.number), timeS: exact(header.timeS), observed: false };
  }
  if (block === null) throw new Untrusted(`block: expected an observed one, got 0x${hex(header.hash)}`);
  if (header.number !== BigInt(block.number) || header.timeS !== BigInt(block.timeS)) {
    throw new AnchorInvalid(
      `block 0x${hex(block.hash)}: expected number ${header.number} and time ${header.timeS} ` +
        `as in its header, got ${block.number} and ${block.timeS} on trust`,
    );
  }
  return { stateRoot: header.stateRoot, number: block.number, timeS: block.timeS, observed: true };
}

/** A header's number as one that can be counted with. */
function exact(value) {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new AnchorInvalid(`block: expected at most 2^53-1, got ${value}`);
  return Number(value);
}
