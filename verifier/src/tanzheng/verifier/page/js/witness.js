// What a witness signs over a checkpoint, and how many of them a verifier wants.

import { compare, equal, hex } from "./bytes.js";
import * as cbor from "./cbor.js";
import * as closed from "./closed.js";
import * as cose from "./cose.js";
import { CheckFailed, EncodingError, SignatureInvalid } from "./errors.js";
import { names } from "./keys.js";

const CONTENT_TYPE = "application/vnd.tanzheng.cosignature+cbor";
const TAG = "tanzheng/cosignature/v1";
export const WITNESSES_MAX = 64;
export const COSIGNATURES_BYTES_MAX = 32 << 10;

/** Read a cosignature: its form is checked, its signature not yet. */
export function openCosignature(raw) {
  const where = "cosignature";
  const message = cose.decode1(raw, CONTENT_TYPE);
  const [tag, checkpoint, seq, tMs] = closed.sequence(cbor.loads(message.payload, where), where, 4, 4);
  if (tag !== TAG) throw new EncodingError(`${where}: expected ${TAG}`);
  closed.integer(tMs, `${where}.t_ms`);
  return {
    message,
    checkpoint: closed.octets(checkpoint, `${where}.checkpoint`, 32),
    seq: closed.integer(seq, `${where}.seq`, 1),
  };
}

/** Read a checkpoint's list of cosignatures, sorted by key id, one a key. */
export function decodeAll(data) {
  const where = "cosignatures";
  const items = closed.sequence(cbor.loads(data, where, COSIGNATURES_BYTES_MAX), where, WITNESSES_MAX);
  const found = items.map((item) => openCosignature(closed.octets(item, where)));
  if (found.some((each, i) => i > 0 && compare(found[i - 1].message.kid, each.message.kid) >= 0)) {
    throw new EncodingError(`${where}: expected each key once, sorted by key id`);
  }
  return found;
}

/** Say who cosigned, where it is enough of them. */
export async function checkWitnessed(signed, cosignatures, policy) {
  const found = [];
  for (const witness of policy.witnesses) {
    const own = cosignatures.filter((each) => names(each.message.kid, witness.public));
    for (const each of own) await verify(each, signed, witness.public);
    if (own.length) found.push(witness.name);
  }
  const said = `${found.length} of ${policy.witnesses.length} witnesses (${found.join(", ") || "none"})`;
  const where = `checkpoint ${signed.checkpoint.seq}`;
  if (found.length < policy.threshold) {
    throw new CheckFailed(`${where}: expected ${policy.threshold} witnesses, got ${said}`);
  }
  return `${where}: ${said}, ${policy.threshold} needed`;
}

async function verify(cosignature, signed, key) {
  if (!equal(cosignature.checkpoint, signed.digest) || cosignature.seq !== signed.checkpoint.seq) {
    throw new SignatureInvalid(
      `cosignature ${hex(cosignature.message.kid)}: expected checkpoint ${signed.checkpoint.seq}, ` +
        `${hex(signed.digest)}; got ${cosignature.seq}, ${hex(cosignature.checkpoint)}`,
    );
  }
  await cosignature.message.verify(key);
}
