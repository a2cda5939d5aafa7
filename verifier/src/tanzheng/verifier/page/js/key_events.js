// The key events that a verifier knows of: where the chain has each, and which of them count.

import { EncodingError, TanzhengError } from "./errors.js";
import { Keyring } from "./keyring.js";
import { KEY_EVENT } from "./kinds.js";
import { FAILED, OK } from "./points.js";
import { logged } from "./receipt_check.js";

/** The keyring with the events in `receipts`, and the point that says whether each counts. */
export async function keys(receipts, trust) {
  const placed = [];
  const reasons = [];
  for (const receipt of receipts) {
    try {
      placed.push(eventOf(receipt, trust));
    } catch (error) {
      if (!(error instanceof TanzhengError)) throw error;
      reasons.push(`key event, leaf ${receipt.inclusion.index}: ${error.message}`);
    }
  }
  const keyring = await Keyring.of(trust, placed);
  reasons.push(...keyring.ignored.map(({ logged: { index }, reason }) => `key event, leaf ${index}: ${reason}`));
  const detail = reasons[0] ?? `${receipts.length} of ${receipts.length}`;
  return { keyring, point: { name: "keys", verdict: reasons.length ? FAILED : OK, detail } };
}

function eventOf(receipt, trust) {
  const { type } = receipt.statement.statement;
  if (type !== KEY_EVENT) throw new EncodingError(`statement: expected ${KEY_EVENT}, got ${type}`);
  return logged(receipt, trust);
}
