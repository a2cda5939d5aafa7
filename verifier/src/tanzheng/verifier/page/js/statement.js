// The signed statement: one leaf of the log, what an operator answers for.

import * as cbor from "./cbor.js";
import * as closed from "./closed.js";
import * as cose from "./cose.js";
import { EncodingError } from "./errors.js";
import { leafHash } from "./merkle.js";
import { sha256 } from "./sha256.js";

const CONTENT_TYPE = "application/vnd.tanzheng.statement+cbor";
const TYPE = "tanzheng.statement";
const VERSION = 1;
const STATEMENT_BYTES_MAX = 1 << 20;
const GATEWAYS_MAX = 1024;
const CWT_CLAIMS = 15;
const ISSUER = 1;
const SUBJECT = 2;
const LABELS = [cose.ALG, cose.CONTENT_TYPE, cose.KID, CWT_CLAIMS];
const KEYS = [
  "type", "version", "subject", "start_ms", "end_ms", "seq", "prev", "supersedes",
  "manifest_sha256", "manifest_sm3", "parameters_root", "gateways",
  "standard", "rules", "software", "not_before",
];

/** Read a signed statement: its form is checked, its signature not yet. */
export function openSigned(raw) {
  if (raw.length > STATEMENT_BYTES_MAX) {
    throw new EncodingError(`statement: expected at most ${STATEMENT_BYTES_MAX} bytes, got ${raw.length}`);
  }
  const message = cose.decode1(raw, CONTENT_TYPE, LABELS);
  const claims = closed.record(message.header.get(CWT_CLAIMS), [ISSUER, SUBJECT], "statement claims");
  const issuer = closed.identifier(claims.get(ISSUER), "statement issuer");
  const statement = decode(message.payload, issuer);
  if (claims.get(SUBJECT) !== statement.subject) {
    throw new EncodingError(`statement header: expected the subject ${statement.subject}`);
  }
  return { raw, message, statement, digest: sha256(raw), leafHash: leafHash(raw) };
}

function decode(payload, issuer) {
  const where = "statement";
  const source = closed.record(cbor.loads(payload, where), KEYS, where);
  if (source.get("type") !== TYPE) throw new EncodingError(`${where}.type: expected ${TYPE}`);
  closed.version(source, VERSION, where);
  const digest = (key) => closed.octets(source.get(key), `${where}.${key}`, 32);
  const integer = (key, least) => closed.integer(source.get(key), `${where}.${key}`, least);
  const statement = {
    issuer,
    subject: closed.subject(closed.text(source.get("subject"), `${where}.subject`), where),
    startMs: integer("start_ms", 0),
    endMs: integer("end_ms", 0),
    seq: integer("seq", 1),
    prev: source.get("prev") === null ? null : digest("prev"),
    supersedes: supersedes(source.get("supersedes")),
    manifestSha256: digest("manifest_sha256"),
    manifestSm3: digest("manifest_sm3"),
    parametersRoot: digest("parameters_root"),
    gateways: closed.sequence(source.get("gateways"), `${where}.gateways`, GATEWAYS_MAX).map(gateway),
    standard: pack(source.get("standard"), `${where}.standard`),
    rules: pack(source.get("rules"), `${where}.rules`),
    software: closed.text(source.get("software"), `${where}.software`),
    notBefore: block(source.get("not_before")),
  };
  if ((statement.prev === null) !== (statement.seq === 1)) {
    throw new EncodingError(`${where}.prev: expected it exactly from seq 2 on`);
  }
  if (statement.supersedes !== null && statement.prev === null) {
    throw new EncodingError(`${where}.supersedes: expected nothing to supersede at seq 1`);
  }
  return statement;
}

function supersedes(value) {
  if (value === null) return null;
  const where = "statement.supersedes";
  const source = closed.record(value, ["digest", "reason", "approver"], where);
  return {
    digest: closed.octets(source.get("digest"), `${where}.digest`, 32),
    reason: closed.identifier(source.get("reason"), `${where}.reason`),
    approver: closed.text(source.get("approver"), `${where}.approver`),
  };
}

function gateway(value) {
  const where = "statement.gateways";
  const [gw, ...rest] = closed.sequence(value, where, 6, 6);
  const head = closed.octets(rest.pop(), `${where}.head`, 32);
  const [firstEpoch, firstSeq, epoch, lastSeq] = rest.map((number) => closed.integer(number, where, 1));
  return { gw: closed.identifier(gw, where), firstEpoch, firstSeq, epoch, lastSeq, head };
}

function pack(value, where) {
  const source = closed.record(value, ["name", "version", "sha256"], where);
  return {
    name: closed.packName(source.get("name"), `${where}.name`),
    version: closed.text(source.get("version"), `${where}.version`),
    sha256: closed.octets(source.get("sha256"), `${where}.sha256`, 32),
  };
}

function block(value) {
  const where = "statement.not_before";
  const source = closed.record(value, ["number", "hash"], where);
  return {
    number: closed.integer(source.get("number"), `${where}.number`),
    hash: closed.octets(source.get("hash"), `${where}.hash`, 32),
  };
}
