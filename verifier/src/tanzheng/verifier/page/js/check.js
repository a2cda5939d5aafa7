// Everything that a verifier hands in, read and checked: one answer.

import { equal, hex } from "./bytes.js";
import { BadInput, CheckFailed } from "./errors.js";
import { checkPackage } from "./bag.js";
import * as checkpoint from "./checkpoint.js";
import * as disclosure from "./disclosure.js";
import { selfTest } from "./keys.js";
import { keys } from "./key_events.js";
import { MONTH } from "./kinds.js";
import { FAILED, point } from "./points.js";
import * as receipt from "./receipt.js";
import { checkReceipt } from "./receipt_check.js";
import { sha256 } from "./sha256.js";
import { Trust } from "./trust.js";
import * as witness from "./witness.js";

const SIGN1 = 0xd2; // how every COSE_Sign1 begins: tag 18

/**
 * @typedef {object} Given
 * @property {Uint8Array} receipt
 * @property {Uint8Array} trust
 * @property {Uint8Array} [lastCheckpoint] by itself, or in the receipt that it was seen with
 * @property {Uint8Array} [consistency]
 * @property {Uint8Array[]} [cosignatures]
 * @property {Uint8Array[]} [keyEvents] receipts of key events that are known
 * @property {Array<{name: string, data: Uint8Array}>} [documents] that the statement names by digest
 * @property {Uint8Array} [disclosure]
 * @property {Map<string, Uint8Array>} [files] of the package
 */

let tested = null;

/**
 * Check what was given. Either `{refused, message}`, naming what is not what it should be, or
 * `{ok, exitCode, subject, statement, points}`. Rejects where no answer can be given at all.
 *
 * @param {Given} given
 */
export async function check(given) {
  await (tested ??= selfTest());
  const { opened, refused, message } = open(given);
  if (refused) return { refused, message };
  const { statement } = opened.receipt.statement;
  if (opened.files && statement.type !== MONTH) {
    return { refused: "files", message: `expected a month's statement with it, got ${statement.type}` };
  }
  const points = await answer(opened, statement);
  const exitCode = exitCodeOf(points);
  return { ok: exitCode === 0, exitCode, subject: statement.subject, statement, points };
}

/** 0: all holds; 3: a point does not; 4: only an attestation beside the receipt does not. */
function exitCodeOf(points) {
  const failed = points.filter((point) => point.verdict === FAILED);
  if (failed.length === 0) return 0;
  return failed.every((point) => receipt.ATTESTATIONS.includes(point.name)) ? 4 : 3;
}

function open(given) {
  const opened = {};
  for (const [name, read] of Object.entries(READERS)) {
    if (given[name] === undefined) continue;
    try {
      opened[name] = read(given[name]);
    } catch (error) {
      if (error instanceof BadInput) return { refused: name, message: error.message };
      throw error;
    }
  }
  return { opened };
}

const READERS = {
  lastCheckpoint: readCheckpoint,
  consistency: checkpoint.decodeConsistency,
  receipt: receipt.decode,
  trust: Trust.decode,
  cosignatures: (list) => list.flatMap(readCosignatures),
  keyEvents: (list) => list.map(receipt.decode),
  disclosure: disclosure.decode,
  documents: (list) => list,
  files: (files) => files,
};

async function answer(opened, statement) {
  const { lastCheckpoint = null, consistency = null, cosignatures = [], keyEvents = [] } = opened;
  const { keyring, point: counted } = await keys(keyEvents, opened.trust);
  const points = await checkReceipt(opened.receipt, opened.trust, keyring, lastCheckpoint, consistency, cosignatures);
  if (keyEvents.length > 0) points.push(counted);
  if (opened.documents) points.push(await point("documents", async () => documents(opened.documents, statement)));
  if (opened.files) points.push(...(await checkPackage(opened.files, statement)));
  if (opened.disclosure) points.push(...(await disclosure.checkDisclosure(opened.disclosure, statement)));
  return points;
}

/** Each file is one that the statement names by its digest. */
function documents(files, statement) {
  const named = Object.entries(statement).filter(([name, digest]) => name.endsWith("Sha256") && digest !== null);
  for (const { name, data } of files) {
    const found = sha256(data);
    if (!named.some(([, digest]) => equal(digest, found))) {
      const fields = named.map(([field]) => field).join(", ") || "no document";
      throw new CheckFailed(`${name}: expected one of ${fields}, got ${hex(found)}`);
    }
  }
  return files.map((each) => each.name).join(", ");
}

function readCheckpoint(raw) {
  return raw[0] === SIGN1 ? checkpoint.openSigned(raw) : receipt.decode(raw).checkpoint;
}

function readCosignatures(raw) {
  return raw[0] === SIGN1 ? [witness.openCosignature(raw)] : witness.decodeAll(raw);
}
