// COSE_Sign1 (RFC 9052 §4.2) with EdDSA or ES256. Nothing in one is trusted before `verify` resolved.

import { hex } from "./bytes.js";
import * as cbor from "./cbor.js";
import * as closed from "./closed.js";
import { EncodingError, SignatureInvalid } from "./errors.js";
import { EDDSA, ES256, KID_BYTES, names } from "./keys.js";

export const ALG = 1;
export const CONTENT_TYPE = 3;
export const KID = 4;
export const SIGN1_TAG = 18;
const SIGNATURE_BYTES = 64;
const NOTHING = new Uint8Array(0);

/** A decoded COSE_Sign1. */
export class Sign1 {
  constructor(protectedBytes, header, unprotected, payload, signature) {
    this.protectedBytes = protectedBytes;
    this.header = header;
    this.unprotected = unprotected;
    this.payload = payload;
    this.signature = signature;
  }

  get kid() {
    return this.header.get(KID);
  }

  /** Resolve where `key` signed this; else `SignatureInvalid`. */
  async verify(key) {
    if (!names(this.kid, key)) {
      throw new SignatureInvalid(`expected a signature of key ${hex(key.kid)}, got one of ${hex(this.kid)}`);
    }
    if (this.header.get(ALG) !== key.algorithm) {
      throw new SignatureInvalid(`expected alg ${key.algorithm} of key ${hex(key.kid)}, got ${this.header.get(ALG)}`);
    }
    const signed = cbor.dumps(["Signature1", this.protectedBytes, NOTHING, this.payload]);
    await key.verify(this.signature, signed);
  }
}

/** The four parts of a tagged COSE_Sign1. @param {Uint8Array} data */
export function parts(data, what) {
  const tag = cbor.loads(data, what);
  if (!(tag instanceof cbor.Tag) || tag.tag !== SIGN1_TAG) {
    throw new EncodingError(`${what}: expected a COSE_Sign1 (tag 18)`);
  }
  return closed.sequence(tag.value, what, 4, 4);
}

/**
 * Read a COSE_Sign1 of `contentType` with exactly the header `labels`.
 *
 * `detachedPayload` is given exactly where the format carries none; the unprotected header, which
 * nothing signs, is then the caller's to check, and must be empty otherwise.
 */
export function decode1(data, contentType, labels = [ALG, CONTENT_TYPE, KID], detachedPayload = null) {
  const what = `COSE_Sign1 ${contentType}`;
  const [protectedBytes, unprotected, payload, signature] = parts(data, what);
  const header = readHeader(closed.octets(protectedBytes, `${what} header`), contentType, labels, what);
  closed.mapping(unprotected, `${what} unprotected header`);
  const detached = detachedPayload !== null;
  if (!detached && unprotected.size > 0) throw new EncodingError(`${what}: expected an empty unprotected header`);
  if (detached && payload !== null) throw new EncodingError(`${what}: expected a detached payload, got one inside`);
  const body = closed.octets(detached ? detachedPayload : payload, `${what} payload`);
  closed.octets(signature, `${what} signature`, SIGNATURE_BYTES);
  return new Sign1(protectedBytes, header, unprotected, body, signature);
}

function readHeader(data, contentType, labels, what) {
  const header = closed.record(cbor.loads(data, `${what} header`), labels, `${what} header`);
  if (![EDDSA, ES256].includes(header.get(ALG)) || header.get(CONTENT_TYPE) !== contentType) {
    throw new EncodingError(`${what}: expected EdDSA or ES256 and that content type`);
  }
  closed.octets(header.get(KID), `${what} key id`, KID_BYTES);
  return header;
}
