// The signed statement of any kind: one leaf of the log, what its signer answers for.

import * as cbor from "./cbor.js";
import * as closed from "./closed.js";
import * as cose from "./cose.js";
import { EncodingError } from "./errors.js";
import { read } from "./kinds.js";
import { leafHash } from "./merkle.js";
import { sha256 } from "./sha256.js";

const CONTENT_TYPE = "application/vnd.tanzheng.statement+cbor";
const STATEMENT_BYTES_MAX = 1 << 20;
const CWT_CLAIMS = 15;
const ISSUER = 1;
const SUBJECT = 2;
const LABELS = [cose.ALG, cose.CONTENT_TYPE, cose.KID, CWT_CLAIMS];

/** Read a signed statement: its form is checked, its signature not yet. */
export function openSigned(raw) {
  if (raw.length > STATEMENT_BYTES_MAX) {
    throw new EncodingError(`statement: expected at most ${STATEMENT_BYTES_MAX} bytes, got ${raw.length}`);
  }
  const message = cose.decode1(raw, CONTENT_TYPE, LABELS);
  const claims = closed.record(message.header.get(CWT_CLAIMS), [ISSUER, SUBJECT], "statement claims");
  const issuer = closed.identifier(claims.get(ISSUER), "statement issuer");
  const statement = read(cbor.loads(message.payload, "statement"), issuer);
  if (claims.get(SUBJECT) !== statement.subject) {
    throw new EncodingError(`statement header: expected the subject ${statement.subject}`);
  }
  return { raw, message, statement, digest: sha256(raw), leafHash: leafHash(raw) };
}
