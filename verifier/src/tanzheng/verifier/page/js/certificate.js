// X.509 certificates (RFC 5280 §4.1) on trust, as far as a time stamp needs them.

import { concat, hex } from "./bytes.js";
import * as der from "./der.js";
import { oid, utc } from "./timestamp_token.js";

const WHERE = "rfc3161 certificate";
const EXTENDED_KEY_USAGE = "551d25"; // RFC 5280 §4.2.1.12
const TIME_STAMPING = "2b06010505070308";
const TRUE = 0xff;

/** Who it is (issuer and serial number as a signer is named by them), its span, key and use. */
export function readCertificate(data) {
  const outer = new der.Reader(data, WHERE);
  const certificate = outer.inside(der.SEQUENCE);
  outer.end();
  const tbs = certificate.inside(der.SEQUENCE);
  certificate.whole(der.SEQUENCE); // the issuer's signature: trust comes from the trust file
  certificate.take(der.BITS);
  certificate.end();
  if (tbs.tag === der.context(0)) tbs.whole();
  const serial = tbs.whole(der.INTEGER);
  tbs.whole(der.SEQUENCE);
  const issuer = tbs.whole(der.SEQUENCE);
  const validity = tbs.inside(der.SEQUENCE);
  const span = [time(validity), time(validity)];
  validity.end();
  tbs.whole(der.SEQUENCE); // the subject
  const key = tbs.whole(der.SEQUENCE);
  return { signer: der.element(der.SEQUENCE, concat(issuer, serial)), span, key, stampsOnly: stampsOnly(tbs) };
}

/** RFC 5280 §4.1.2.5: two digits of a year up to 49 are of this century. */
function time(reader) {
  const long = reader.tag === der.GENERALIZED_TIME;
  const text = String.fromCharCode(...reader.take(long ? der.GENERALIZED_TIME : der.UTC_TIME));
  const century = long ? "" : text < "5" ? "20" : "19";
  const tMs = /^\d*Z$/.test(text) ? utc(century + text.slice(0, -1)) : NaN;
  if (Number.isNaN(tMs)) throw reader.error("a time in UTC before");
  return tMs;
}

/** RFC 3161 §2.3: whether time stamping, critical, is the one use. */
function stampsOnly(tbs) {
  while (tbs.tag !== null && tbs.tag !== der.context(3)) tbs.whole();
  if (tbs.tag === null) return false;
  const extensions = tbs.inside(der.context(3)).inside(der.SEQUENCE);
  let found = false;
  while (extensions.tag !== null) {
    const extension = extensions.inside(der.SEQUENCE);
    if (oid(extension) !== EXTENDED_KEY_USAGE) continue;
    const critical = extension.tag === der.BOOLEAN && extension.take(der.BOOLEAN)[0] === TRUE;
    const uses = new der.Reader(extension.take(der.OCTETS), WHERE).inside(der.SEQUENCE);
    found = critical && oid(uses) === TIME_STAMPING && uses.tag === null;
  }
  return found;
}

/** Algorithm and curve of the key: object identifiers, the curve null where there is none. */
export function kindOfKey(key) {
  const named = new der.Reader(key, WHERE).inside(der.SEQUENCE).inside(der.SEQUENCE);
  const algorithm = oid(named);
  return { algorithm, curve: named.tag === der.OID ? hex(named.take(der.OID)) : null };
}
