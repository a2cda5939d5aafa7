// Keys of Ed25519 and P-256 by WebCrypto; a key says by its length which one it is. A key id is the
// first 16 bytes of SHA-256 of the raw public key.

import { equal, fromHex, hex, utf8 } from "./bytes.js";
import { CannotVerify, EncodingError, SignatureInvalid } from "./errors.js";
import { keccak256 } from "./keccak.js";
import * as p256 from "./p256.js";
import { sha256 } from "./sha256.js";

export const KID_BYTES = 16;
export const EDDSA = -8;
export const ES256 = -7;
const ED25519 = { name: "Ed25519" };
const ECDSA = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/** The public half: 32 raw bytes of Ed25519, or 33 of P-256 (the compressed point). */
export class VerifyKey {
  /** @param {Uint8Array} raw */
  constructor(raw, where = "public key") {
    if (raw.length !== 32 && raw.length !== 33) {
      throw new EncodingError(`${where}: expected 32 bytes of Ed25519 or 33 of P-256, got ${raw.length}`);
    }
    this.raw = raw;
    this.algorithm = raw.length === 32 ? EDDSA : ES256;
    this.point = this.algorithm === EDDSA ? raw : p256.decompress(raw, where);
    this.kid = sha256(raw).subarray(0, KID_BYTES);
    this.imported = null;
  }

  /** Resolve where `signature` is this key's over `data`; else `SignatureInvalid`. */
  async verify(signature, data) {
    const by = this.algorithm === EDDSA ? ED25519 : ECDSA;
    let valid = this.algorithm === EDDSA || p256.isLow(signature);
    try {
      this.imported ??= crypto.subtle.importKey("raw", this.point, by, false, ["verify"]);
      valid &&= await crypto.subtle.verify(by, await this.imported, signature, data);
    } catch (error) {
      if (error?.name !== "DataError") throw new CannotVerify(`${by.name}: ${error}`);
      valid = false;
    }
    if (valid !== true) throw new SignatureInvalid(`signature is not of key ${hex(this.kid)}`);
  }
}

// RFC 8032 §7.1, test 2; FIPS 180-4 and the Keccak team's example digests.
const PUBLIC = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
const SIGNATURE =
  "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da" +
  "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
const SHA256_OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const KECCAK_OF_NOTHING = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470";

/** Resolve where this browser's answers can be relied on; else `CannotVerify` says what is missing. */
export async function selfTest() {
  if (globalThis.crypto?.subtle === undefined) {
    throw new CannotVerify("WebCrypto is missing: open the page as a file, or over HTTPS");
  }
  if (hex(sha256(utf8("abc"))) !== SHA256_OF_ABC || hex(keccak256(utf8(""))) !== KECCAK_OF_NOTHING) {
    throw new CannotVerify("SHA-256 or Keccak-256 gives a wrong digest");
  }
  const key = new VerifyKey(fromHex(PUBLIC));
  const signature = fromHex(SIGNATURE);
  if (!(await holds(key, signature, Uint8Array.of(0x72)))) throw new CannotVerify("Ed25519 refuses a good signature");
  if (await holds(key, signature, Uint8Array.of(0x73))) throw new CannotVerify("Ed25519 takes a bad signature");
}

async function holds(key, signature, data) {
  try {
    await key.verify(signature, data);
    return true;
  } catch (error) {
    if (error instanceof SignatureInvalid) return false;
    throw error;
  }
}

/** Whether a key id names that key. */
export function names(kid, key) {
  return equal(kid, key.kid);
}
