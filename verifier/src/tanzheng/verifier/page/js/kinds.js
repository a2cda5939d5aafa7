// Every kind of statement there is: its fields, how its subjects end, and whose key must sign it.

import { EncodingError } from "./errors.js";
import * as closed from "./closed.js";
import * as forms from "./forms.js";
import { ascending, count, decimal, digest, identifier, optional, positive, record, subject, text, word } from "./forms.js";

const WHERE = "statement";
const VERSION = 1;
const GATEWAYS_MAX = 1024;
const REFERENCES_MAX = 256;
const ALL_UNITS = "all";
export const MONTH = "tanzheng.statement";
export const KEY_EVENT = "tanzheng.key_event";
export const ROLES = ["operator", "city", "province", "verifier", "recheck"];

// ------------------------------------------------------------------ parts that several kinds carry

const ENVELOPE = {
  subject,
  seq: positive,
  prev: optional(digest),
  supersedes: optional(record({ digest, reason: identifier, approver: text })),
  not_before: record({ number: count, hash: digest }),
};
const role = word(...ROLES);
const pack = record({ name: closed.packName, version: text, sha256: digest });
const reference = record({ subject, digest });
const log = record({ chain_id: positive, contract: forms.octets(20), log_id: digest });
const references = ascending(reference, { most: REFERENCES_MAX, key: (each) => each.subject.split("/") });
const quantities = ascending(record({ name: identifier, value: decimal, unit: text }), { key: (each) => each.name });
const codes = ascending(identifier);
const unitsOf = (fields) => ascending(record({ unit: identifier, ...fields }), { key: (each) => each.unit });

function gateway(value, where) {
  const [gw, ...rest] = closed.sequence(value, where, 6, 6);
  const head = closed.octets(rest.pop(), `${where}.head`, 32);
  const [firstEpoch, firstSeq, epoch, lastSeq] = rest.map((number) => closed.integer(number, where, 1));
  return { gw: closed.identifier(gw, where), firstEpoch, firstSeq, epoch, lastSeq, head };
}

// ------------------------------------------------------------------ how fields fit together

function must(holds, field, expected) {
  if (!holds) throw new EncodingError(`${WHERE}.${field}: expected ${expected}`);
}

function parts(about) {
  const [enterprise, unit, period, kind] = about.split("/");
  return { enterprise, unit, period, kind };
}

function beside(stated) {
  const upTo = (about) => about.slice(0, about.lastIndexOf("/"));
  must(upTo(stated.subject) === upTo(stated.of.subject), "subject", `one beside ${stated.of.subject}`);
}

function yearly({ subject: about, units }) {
  const { unit, period } = parts(about);
  must(/^[0-9]{4}$/.test(period), "subject", "a year as its period");
  const named = units.map((each) => each.unit);
  must(named.length > 0 && (unit === ALL_UNITS || (named.length === 1 && named[0] === unit)), "units", `those of ${about}`);
}

function aboutLog({ subject: about }) {
  const { unit, period } = parts(about);
  must(unit === "log" && period === "all", "subject", "OPERATOR/log/all/…");
}

const KINDS = new Map();

// ------------------------------------------------------------------ what is reported

KINDS.set(MONTH, {
  ends: "month",
  signer: () => "operator",
  fields: {
    start_ms: count, end_ms: count, manifest_sha256: digest, manifest_sm3: digest, parameters_root: digest,
    gateways: forms.many(gateway, { most: GATEWAYS_MAX }), standard: pack, rules: pack, software: text,
  },
  check: () => {},
});

KINDS.set("tanzheng.annual_report", {
  ends: "annual-report",
  signer: () => "operator",
  fields: { manifest_sha256: digest, manifest_sm3: digest, units: unitsOf({ quantities }), months: references, software: text },
  check: (stated) => {
    yearly(stated);
    const { enterprise, period } = parts(stated.subject);
    const fits = (about) => about.enterprise === enterprise && about.period.slice(0, 4) === period;
    must(stated.months.every((each) => fits(parts(each.subject))), "months", `months of ${stated.subject}`);
  },
});

KINDS.set("tanzheng.confirmed_emissions", {
  ends: "confirmed",
  signer: () => "province",
  fields: { emissions_t: count, units: unitsOf({ emissions_t: count, output: quantities }), basis: references },
  check: (stated) => {
    yearly(stated);
    const total = stated.units.reduce((sum, each) => sum + BigInt(each.emissionsT), 0n);
    must(BigInt(stated.emissionsT) === total, "emissions_t", `the sum ${total}`);
    must(stated.basis.length > 0, "basis", "the statements that it rests on");
  },
});

// ------------------------------------------------------------------ what others say of it

KINDS.set("tanzheng.review", {
  ends: "review",
  signer: ({ level }) => level,
  fields: {
    of: reference, level: word("city", "province"), outcome: word("accepted", "returned"), reasons: codes,
    document_sha256: optional(digest),
  },
  check: (stated) => {
    beside(stated);
    const kind = `review.${stated.level}.${parts(stated.of.subject).kind}`;
    must(parts(stated.subject).kind === kind, "subject", `the kind ${kind}`);
    must((stated.outcome === "returned") === stated.reasons.length > 0, "reasons", "some exactly where it is returned");
  },
});

KINDS.set("tanzheng.verification", {
  ends: "verification",
  signer: () => "verifier",
  fields: {
    of: reference, opinion: word("unmodified", "modified", "adverse", "disclaimed"), assurance: word("reasonable", "limited"),
    materiality_percent: optional(decimal), quantities, findings: codes, lead_verifier: text, report_sha256: digest,
  },
  check: (stated) => {
    beside(stated);
    must((stated.opinion === "unmodified") === (stated.findings.length === 0), "findings", "some exactly where it is not unmodified");
  },
});

KINDS.set("tanzheng.recheck", {
  ends: "recheck",
  signer: () => "recheck",
  fields: {
    of: reference, sample: references, finding: word("upheld", "contradicted"), quantities, findings: codes, report_sha256: digest,
  },
  check: (stated) => {
    beside(stated);
    must((stated.finding === "contradicted") === stated.findings.length > 0, "findings", "some exactly where it is contradicted");
  },
});

// ------------------------------------------------------------------ keys and the log itself

KINDS.set(KEY_EVENT, {
  ends: "key-event",
  signer: (stated) => stated.role,
  fields: {
    role, act: word("add", "rotate", "revoke"), key: optional(forms.publicKey), possession: optional(forms.octets(64)),
    kid: optional(forms.keyId), compromised_since_ms: optional(count), reason: optional(identifier),
  },
  check: (stated) => {
    const { enterprise, unit, period } = parts(stated.subject);
    must(enterprise === stated.issuer && unit === "keys" && period === stated.role, "subject", `${stated.issuer}/keys/${stated.role}/key-event`);
    const revoked = stated.act === "revoke";
    const wanted = { key: !revoked, possession: !revoked, kid: stated.act !== "add", reason: revoked };
    for (const [name, want] of Object.entries(wanted)) must((stated[name] !== null) === want, name, want ? "one" : "none");
    must(stated.compromisedSinceMs === null || revoked, "compromised_since_ms", "none but to revoke");
  },
});

KINDS.set("tanzheng.registration_policy", {
  ends: "policy",
  signer: () => "operator",
  fields: {
    log, accepts: ascending(record({ type: text, roles: ascending(role, { least: 1 }) }), { least: 1, key: (each) => each.type }),
    algorithms: ascending(forms.integer(-Number.MAX_SAFE_INTEGER), { least: 1 }), statement_bytes_max: positive,
    document_sha256: optional(digest),
  },
  check: aboutLog,
});

KINDS.set("tanzheng.trust_anchors", {
  ends: "trust-anchors",
  signer: () => "operator",
  fields: {
    log,
    keys: ascending(
      record({ holder: identifier, role, key: forms.publicKey, not_before_ms: count, not_after_ms: optional(count) }),
      { least: 1, key: (each) => [each.holder, each.role, each.key.kid] },
    ),
    witnesses: ascending(record({ name: identifier, key: forms.publicKey }), { key: (each) => each.name }),
    threshold: count,
  },
  check: (stated) => {
    aboutLog(stated);
    must(stated.threshold <= stated.witnesses.length, "threshold", `at most ${stated.witnesses.length}`);
  },
});

KINDS.set("tanzheng.migration", {
  ends: "migration",
  signer: () => "operator",
  fields: {
    old: log, new: log, checkpoint_seq: positive, size: positive, checkpoint_sha256: digest, receipt_sha256: digest,
    reason: identifier,
  },
  check: (stated) => {
    aboutLog(stated);
    const name = ({ chainId, contract, logId }) => `${chainId} ${contract} ${logId}`;
    must(name(stated.old) !== name(stated.new), "new", "another log than the old one");
  },
});

// ------------------------------------------------------------------ reading

/** Read the map that a payload carries: the envelope's fields and those of its kind. */
export function read(payload, issuer) {
  const type = closed.mapping(payload, WHERE).get("type");
  const kind = KINDS.get(type);
  if (kind === undefined) throw new EncodingError(`${WHERE}.type: expected one of ${[...KINDS.keys()].join(", ")}`);
  const fields = { ...ENVELOPE, ...kind.fields };
  const source = closed.record(payload, ["type", "version", ...Object.keys(fields)], WHERE);
  closed.version(source, VERSION, WHERE);
  const stated = { type, issuer, ...forms.take(fields, source, WHERE) };
  stated.signer = kind.signer(stated);
  must((stated.prev === null) === (stated.seq === 1), "prev", "it exactly from seq 2 on");
  must(stated.supersedes === null || stated.prev !== null, "supersedes", "nothing to supersede at seq 1");
  must(parts(stated.subject).kind.split(".")[0] === kind.ends, "subject", `the kind ${kind.ends}`);
  kind.check(stated);
  return stated;
}
