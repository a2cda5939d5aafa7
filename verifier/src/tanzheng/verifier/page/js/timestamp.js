// RFC 3161 time stamps beside a receipt, checked against the certificates on trust. A token holds
// where its imprint is the SHA-256 of the core, the trusted certificate may stamp time at that
// moment, the signed attributes bind the content and that certificate, and the signature is its key's.

import { equal, fromHex, hex } from "./bytes.js";
import { kindOfKey, readCertificate } from "./certificate.js";
import * as der from "./der.js";
import { CannotVerify, CheckFailed, EncodingError, SignatureInvalid } from "./errors.js";
import { instant } from "./points.js";
import { sha256 } from "./sha256.js";
import * as shape from "./timestamp_token.js";
import { Untrusted } from "./trust.js";

const { WHERE } = shape;
const RSA_KEY = "2a864886f70d010101"; // RFC 3279 §2.3.1
const EC_KEY = "2a8648ce3d0201"; // RFC 5480 §2.1.1
const CURVES = new Map([
  ["2a8648ce3d030107", { namedCurve: "P-256", bytes: 32 }],
  ["2b81040022", { namedCurve: "P-384", bytes: 48 }],
  ["2b81040023", { namedCurve: "P-521", bytes: 66 }],
]);

/** A time stamp in order, but of something else. */
class TimestampForeign extends CheckFailed {}

/** Say who stamped `core`, and when. @param {Array<{name: string, certificate: Uint8Array}>} authorities */
export async function checkTimestamp(data, core, authorities) {
  const token = shape.readToken(data);
  checkImprint(token, core);
  const { authority, certificate } = authorityOf(token, authorities);
  checkMayStamp(certificate, token.tMs);
  await checkAttributes(token, authority.certificate);
  await checkSignature(token, certificate);
  return `${authority.name}, ${instant(token.tMs)}`;
}

function checkImprint({ imprint }, core) {
  const expected = sha256(core);
  if (imprint.algorithm === shape.SHA256 && equal(imprint.digest, expected)) return;
  const name = shape.HASHES.get(imprint.algorithm)?.toLowerCase().replace("-", "") ?? `digest ${imprint.algorithm}`;
  throw new TimestampForeign(`${WHERE}: expected a stamp of sha256 ${hex(expected)}, got ${name} ${hex(imprint.digest)}`);
}

/** The authority whose certificate the signer names by issuer and serial number. */
function authorityOf(token, authorities) {
  for (const authority of authorities) {
    const certificate = readCertificate(authority.certificate);
    if (equal(certificate.signer, token.signer)) return { authority, certificate };
  }
  throw new Untrusted(`${WHERE}: expected an authority on trust, got ${hex(token.signer)}`);
}

function checkMayStamp({ stampsOnly, span: [first, last] }, tMs) {
  if (!stampsOnly) throw new Untrusted(`${WHERE}: expected a certificate for time stamping only`);
  if (tMs < first || tMs > last) {
    throw new Untrusted(`${WHERE}: expected a certificate valid at ${instant(tMs)}, it is not`);
  }
}

async function checkAttributes(token, certificate) {
  const digest = await digestOf(token.digest, token.content);
  const bound = [
    [shape.CONTENT_TYPE, der.element(der.OID, fromHex(shape.TST_INFO))],
    [shape.MESSAGE_DIGEST, der.element(der.OCTETS, digest)],
  ];
  for (const [kind, value] of bound) {
    if (!equal(token.attributes.get(kind) ?? [], value)) {
      throw new TimestampForeign(`${WHERE}: expected the attributes to bind the content`);
    }
  }
  const named = certificateNamed(token);
  if (!equal(named.digest, await digestOf(named.by, certificate))) {
    throw new TimestampForeign(`${WHERE}: expected the attribute to bind the trusted certificate`);
  }
}

/** Digest algorithm and digest of the certificate that the attributes name first. */
function certificateNamed({ attributes }) {
  const second = attributes.get(shape.SIGNING_CERTIFICATE_V2);
  const data = second ?? attributes.get(shape.SIGNING_CERTIFICATE);
  if (data === undefined) {
    throw new TimestampForeign(`${WHERE}: expected an attribute that binds the certificate, got none`);
  }
  const first = new der.Reader(data, WHERE).inside(der.SEQUENCE).inside(der.SEQUENCE).inside(der.SEQUENCE);
  if (second === undefined) return { by: "SHA-1", digest: first.take(der.OCTETS) };
  const by = shape.HASHES.get(first.tag === der.SEQUENCE ? shape.algorithm(first) : shape.SHA256);
  if (by === undefined) throw first.error("SHA-256, SHA-384 or SHA-512 before");
  return { by, digest: first.take(der.OCTETS) };
}

async function digestOf(name, data) {
  return new Uint8Array(await crypto.subtle.digest(name, data));
}

/** The signature over the attributes. */
async function checkSignature(token, { key }) {
  const { algorithm, curve } = kindOfKey(key);
  const named = CURVES.get(curve);
  if (token.scheme === "rsa" && algorithm === RSA_KEY) {
    await verify({ name: "RSASSA-PKCS1-v1_5", hash: token.digest }, key, token.signature, token.signed);
  } else if (token.scheme === "ecdsa" && algorithm === EC_KEY && named) {
    const by = { name: "ECDSA", namedCurve: named.namedCurve, hash: token.digest };
    await verify(by, key, fixedWidth(token.signature, named.bytes), token.signed);
  } else {
    throw new EncodingError(`${WHERE}: expected a signature of the key's kind`);
  }
}

async function verify(by, key, signature, signed) {
  let valid = false;
  try {
    const imported = await crypto.subtle.importKey("spki", key, by, false, ["verify"]);
    valid = await crypto.subtle.verify(by, imported, signature, signed);
  } catch (error) {
    if (error?.name !== "DataError") throw new CannotVerify(`${by.name}: ${error}`);
  }
  if (valid !== true) throw new SignatureInvalid(`${WHERE}: the signature is not of the trusted certificate`);
}

/** An ECDSA signature, two INTEGERs above 0, as WebCrypto takes it: r ‖ s. */
function fixedWidth(signature, bytes) {
  const outer = new der.Reader(signature, WHERE);
  const pair = outer.inside(der.SEQUENCE);
  outer.end();
  const joined = new Uint8Array(2 * bytes);
  for (const end of [bytes, 2 * bytes]) {
    const number = pair.integer();
    const digits = number[0] === 0 ? number.subarray(1) : number;
    if (number[0] & 0x80 || digits.length === 0) throw pair.error("two numbers above 0 before");
    if (digits.length > bytes) throw new SignatureInvalid(`${WHERE}: the signature is not of the trusted certificate`);
    joined.set(digits, end - digits.length);
  }
  pair.end();
  return joined;
}
