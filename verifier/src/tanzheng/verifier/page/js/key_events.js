// The key events that a verifier knows of: where the chain has each, and which of them count.

import { EncodingError, TanzhengError } from "./errors.js";
import { Keyring } from "./keyring.js";
import { KEY_EVENT } from "./kinds.js";
import { FAILED, OK } from "./points.js";
import { checkLogSigned, logged } from "./receipt_check.js";

/** The keyring with the events in `receipts`, and the point that says whether each counts. */
export async function keys(receipts, trust) {
  const placed = [];
  const reasons = [];
  const refuse = (index, reason) => reasons.push(`key event, leaf ${index}: ${reason}`);
  const tried = async (receipt, check) => {
    try {
      await check();
    } catch (error) {
      if (!(error instanceof TanzhengError)) throw error;
      refuse(receipt.inclusion.index, error.message);
    }
  };
  for (const receipt of receipts) {
    await tried(receipt, () => placed.push({ receipt, at: eventOf(receipt, trust) }));
  }
  const keyring = await Keyring.of(trust, placed.map(({ at }) => at));
  for (const { logged: { index }, reason } of keyring.ignored) refuse(index, reason);
  for (const { receipt, at } of placed) await tried(receipt, () => checkLogSigned(receipt, keyring, at.tMs));
  const detail = reasons[0] ?? `${receipts.length} of ${receipts.length}`;
  return { keyring, point: { name: "keys", verdict: reasons.length ? FAILED : OK, detail } };
}

function eventOf(receipt, trust) {
  const { type } = receipt.statement.statement;
  if (type !== KEY_EVENT) throw new EncodingError(`statement: expected ${KEY_EVENT}, got ${type}`);
  return logged(receipt, trust);
}
