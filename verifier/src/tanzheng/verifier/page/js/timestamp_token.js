// RFC 3161 tokens taken apart: a CMS SignedData (RFC 5652) over a TSTInfo, to the last byte.
// Certificates that came along are in no signature and not read: the trust file has the one that
// counts. Else a token says nothing that is not bound.

import { equal, hex } from "./bytes.js";
import * as der from "./der.js";

export const WHERE = "rfc3161";
const TOKEN = "rfc3161 token";
// Object identifiers as DER carries them.
export const SHA256 = "608648016503040201";
const SIGNED_DATA = "2a864886f70d010702"; // RFC 5652 §5.1
export const TST_INFO = "2a864886f70d0109100104"; // RFC 3161 §2.4.2
export const CONTENT_TYPE = "2a864886f70d010903"; // RFC 5652 §11.1
export const MESSAGE_DIGEST = "2a864886f70d010904"; // §11.2
export const SIGNING_CERTIFICATE = "2a864886f70d010910020c"; // RFC 2634 §5.4, by SHA-1
export const SIGNING_CERTIFICATE_V2 = "2a864886f70d010910022f"; // RFC 5035 §3
export const HASHES = new Map([
  [SHA256, "SHA-256"], ["608648016503040202", "SHA-384"], ["608648016503040203", "SHA-512"],
]);
const RSA = "2a864886f70d010101"; // rsaEncryption: the digest is named beside it
const SIGNATURES = new Map([
  ["2a864886f70d01010b", ["rsa", "SHA-256"]], // RFC 8017 appendix C
  ["2a864886f70d01010c", ["rsa", "SHA-384"]],
  ["2a864886f70d01010d", ["rsa", "SHA-512"]],
  ["2a8648ce3d040302", ["ecdsa", "SHA-256"]], // RFC 5758 §3.2
  ["2a8648ce3d040303", ["ecdsa", "SHA-384"]],
  ["2a8648ce3d040304", ["ecdsa", "SHA-512"]],
]);
const TIME = /^((?:19[5-9]|[2-9]\d\d)\d{11})(?:\.(\d*[1-9]))?Z$/;

/** Read a token: its form is checked to the last byte, its signature not yet. */
export function readToken(data) {
  const outer = new der.Reader(data, TOKEN);
  const info = outer.inside(der.SEQUENCE);
  outer.end();
  if (oid(info) !== SIGNED_DATA) throw info.error("SignedData before");
  const signed = info.inside(der.context(0));
  info.end();
  const parts = signedData(signed.inside(der.SEQUENCE));
  signed.end();
  return readSigner(parts);
}

export function oid(reader) {
  return hex(reader.take(der.OID));
}

/** The content, its digest algorithms, and the one signer. */
function signedData(reader) {
  if (hex(reader.integer()) !== "03") throw reader.error("SignedData of version 3 before");
  const algorithms = reader.take(der.SET);
  const inner = reader.inside(der.SEQUENCE);
  if (oid(inner) !== TST_INFO) throw inner.error("a TSTInfo before");
  const held = inner.inside(der.context(0));
  inner.end();
  const content = held.take(der.OCTETS);
  held.end();
  if (reader.tag === der.context(0)) { // certificates that came along, in no signature
    const certificates = reader.inside(der.context(0));
    while (certificates.tag !== null) certificates.whole();
  }
  const signers = reader.inside(der.SET);
  reader.end();
  const signer = signers.inside(der.SEQUENCE);
  signers.end();
  return { content, algorithms, signer };
}

function readSigner({ content, algorithms, signer: reader }) {
  if (hex(reader.integer()) !== "01") throw reader.error("a signer of version 1 before");
  const signer = reader.whole(der.SEQUENCE);
  const named = reader.whole(der.SEQUENCE);
  if (!equal(named, algorithms)) throw reader.error("the digest algorithm that the content names before");
  const digest = HASHES.get(algorithm(new der.Reader(named, TOKEN)));
  if (digest === undefined) throw reader.error("SHA-256, SHA-384 or SHA-512 before");
  const signed = reader.take(der.context(0));
  const scheme = readScheme(reader, digest);
  const signature = reader.take(der.OCTETS);
  reader.end();
  const attributes = readAttributes(signed);
  // RFC 5652 §5.4: signed as a SET
  return { ...tstInfo(content), content, signer, digest, attributes, signed: der.element(der.SET, signed), scheme, signature };
}

/** `rsa` or `ecdsa`; with NULL beside the name (RFC 3370 §3.2), and without (RFC 5758 §3.2). */
function readScheme(reader, digest) {
  const told = reader.whole(der.SEQUENCE);
  const found = algorithm(new der.Reader(told, TOKEN));
  const [scheme, of] = SIGNATURES.get(found) ?? (found === RSA ? ["rsa", digest] : []);
  const withNull = equal(told.subarray(-2), [der.NULL, 0]);
  if (of !== digest || withNull !== (scheme === "rsa")) {
    throw reader.error(`RSA (PKCS #1 v1.5) or ECDSA with ${digest} before`);
  }
  return scheme;
}

/** Take an AlgorithmIdentifier; its OID, where its parameters are NULL or left out. */
export function algorithm(reader) {
  const inside = reader.inside(der.SEQUENCE);
  const found = oid(inside);
  if (inside.tag !== null && inside.take(der.NULL).length > 0) throw inside.error("NULL before");
  inside.end();
  return found;
}

/** Imprint and time in UTC milliseconds; what follows them is the signer's own. */
function tstInfo(content) {
  const outer = new der.Reader(content, TOKEN);
  const info = outer.inside(der.SEQUENCE);
  outer.end();
  if (hex(info.integer()) !== "01") throw info.error("version 1 before");
  info.take(der.OID); // the policy
  const named = info.inside(der.SEQUENCE);
  const imprint = { algorithm: algorithm(named), digest: named.take(der.OCTETS) };
  named.end();
  info.integer(); // the serial number
  const tMs = time(info);
  while (info.tag !== null) {
    if (info.tag === der.INTEGER) info.integer();
    else info.whole();
  }
  return { imprint, tMs };
}

/** A GeneralizedTime as RFC 3161 §2.4.2 wants it. */
function time(reader) {
  const found = TIME.exec(String.fromCharCode(...reader.take(der.GENERALIZED_TIME)));
  const tMs = found === null ? NaN : utc(found[1]);
  if (Number.isNaN(tMs)) throw reader.error("a time in UTC before");
  return tMs + Number((found[2] ?? "").padEnd(3, "0").slice(0, 3));
}

/** UTC milliseconds of fourteen digits; NaN where they are no date. */
export function utc(digits) {
  const iso = digits.replace(/^(\d{4})(..)(..)(..)(..)(..)$/, "$1-$2-$3T$4:$5:$6.000Z");
  const tMs = Date.parse(iso);
  return !Number.isNaN(tMs) && new Date(tMs).toISOString() === iso ? tMs : NaN;
}

/** The one value of each attribute by its type. */
function readAttributes(data) {
  const reader = new der.Reader(data, TOKEN);
  const found = new Map();
  while (reader.tag !== null) {
    const attribute = reader.inside(der.SEQUENCE);
    const kind = oid(attribute);
    const values = attribute.inside(der.SET);
    attribute.end();
    if (found.has(kind)) throw reader.error("each attribute once before");
    found.set(kind, values.whole());
    values.end();
  }
  return found;
}
