// The trust file: everything a verifier takes from somewhere other than the operator.

import { equal, hex } from "./bytes.js";
import * as closed from "./closed.js";
import { CheckFailed, EncodingError } from "./errors.js";
import { word } from "./forms.js";
import { KID_BYTES, VerifyKey, names } from "./keys.js";
import { ADDRESS_BYTES } from "./qbft.js";
import { ROLES } from "./kinds.js";
import * as strictJson from "./strict_json.js";
import { WITNESSES_MAX } from "./witness.js";

const VERSION = 1;
const ITEMS_MAX = 1_000_000;
const AUTHORITIES_MAX = 64;
const CERTIFICATE_BYTES_MAX = 8192;
const signerRole = word(...ROLES.filter((role) => role !== "operator"));
const ENTERPRISES_MAX = 100_000;
const KEYS = ["version", "chain_id", "contract", "log_id", "operator_keys", "gateways", "plants", "blocks"];

/** A key, block or plant that the trust file does not name, or not for that time. */
export class Untrusted extends CheckFailed {}

/** The content of TRUST.json. */
export class Trust {
  constructor(fields) {
    Object.assign(this, fields);
  }

  /** Read TRUST.json; `EncodingError` names the first field out of shape. @param {Uint8Array} data */
  static decode(data) {
    return fromJson(strictJson.loads(data, "trust"));
  }

  /** The operator's key `kid`, valid at `tMs`; else `Untrusted`. */
  operator(kid, tMs) {
    const found = this.operatorKeys.find((key) => names(kid, key.public));
    if (found === undefined) throw new Untrusted(`operator key: expected a trusted one, got ${hex(kid)}`);
    if (!validAt(found, tMs)) {
      throw new Untrusted(`operator key ${hex(kid)}: expected it valid at ${tMs}, it is not`);
    }
    return found.public;
  }

  /** The addresses that may seal block `number`, a bigint, in hexadecimal. */
  validatorsAt(number) {
    const sealing = this.validators.filter(
      ({ fromBlock, toBlock }) => BigInt(fromBlock) <= number && (toBlock === null || number <= BigInt(toBlock)),
    );
    return new Set(sealing.map((each) => hex(each.address)));
  }

  /** The observed block with that hash; null where the observer saw none. */
  block(hash) {
    return this.blocks.find((block) => equal(block.hash, hash)) ?? null;
  }
}

function fromJson(value) {
  const where = "trust";
  const told = ["witnesses", "signers", "timestamp_authorities", "validators"].filter((key) => closed.mapping(value, where).has(key));
  const source = closed.record(value, [...KEYS, ...told], where);
  const witnessed = source.has("witnesses");
  closed.version(source, VERSION, where);
  const list = (key, read) => closed.sequence(source.get(key), `${where}.${key}`, ITEMS_MAX).map(read);
  const trust = new Trust({
    chainId: closed.integer(source.get("chain_id"), `${where}.chain_id`, 1),
    contract: prefixed(source.get("contract"), `${where}.contract`, 20),
    logId: closed.hexadecimal(source.get("log_id"), `${where}.log_id`, 32),
    operatorKeys: list("operator_keys", (each) => operatorKey(each)),
    gateways: list("gateways", gateway),
    plants: list("plants", plant),
    blocks: list("blocks", block),
    signers: source.has("signers") ? readSigners(source.get("signers")) : [],
    witnesses: witnessed ? policy(source.get("witnesses")) : null,
    validators: source.has("validators") ? readValidators(source.get("validators")) : [],
    timestampAuthorities: source.has("timestamp_authorities") ? authorities(source.get("timestamp_authorities")) : [],
  });
  const raw = (keys) => keys.map((key) => hex(key.public.raw));
  closed.eachOnce(raw(trust.operatorKeys), "trust.operator_keys");
  closed.eachOnce(raw([...trust.operatorKeys, ...trust.signers.map((each) => each.key)]), "trust.signers");
  closed.eachOnce(trust.gateways.map((each) => each.id), "trust.gateways");
  closed.eachOnce(trust.blocks.map((each) => each.number), "trust.blocks");
  if (witnessed) closed.eachOnce(raw([...trust.operatorKeys, ...trust.witnesses.witnesses]), "trust.witnesses");
  return trust;
}

/** Whether a key may sign at `tMs`: both ends of its span belong to it. */
export function validAt(key, tMs) {
  return tMs >= key.notBeforeMs && (key.notAfterMs === null || tMs <= key.notAfterMs);
}

/** Who signs in a role beside the operator's. */
function readSigners(value) {
  const where = "trust.signers";
  const signers = closed.sequence(value, where, ITEMS_MAX).map((each) => {
    const source = new Map(closed.mapping(each, where));
    const name = closed.identifier(source.get("name"), `${where}.name`);
    const role = signerRole(source.get("role"), `${where}.role`);
    const enterprises = source.has("subjects") ? readEnterprises(source.get("subjects"), `${where}.subjects`) : null;
    for (const key of ["name", "role", "subjects"]) source.delete(key);
    return { name, role, enterprises, key: operatorKey(source, where) };
  });
  if (signers.length === 0) throw new EncodingError(`${where}: expected an entry where the key is there, got none`);
  return signers;
}

/** Enterprises of which a signer may speak: identifiers, or with a star at the end how these begin. */
function readEnterprises(value, where) {
  const enterprises = closed.sequence(value, where, ENTERPRISES_MAX);
  for (const each of enterprises) closed.identifier(typeof each === "string" ? each.replace(/\*$/, "") : each, where);
  if (enterprises.length === 0) throw new EncodingError(`${where}: expected enterprises, got none`);
  closed.eachOnce(enterprises, where);
  return enterprises;
}

function publicKey(value, where) {
  const bytes = typeof value === "string" && value.length === 66 ? 33 : 32;
  return new VerifyKey(closed.hexadecimal(value, where, bytes), where);
}

function operatorKey(value, where = "trust.operator_keys") {
  const source = closed.record(value, ["kid", "public_key", "not_before_ms", "not_after_ms"], where);
  const key = publicKey(source.get("public_key"), `${where}.public_key`);
  if (!names(closed.hexadecimal(source.get("kid"), `${where}.kid`, KID_BYTES), key)) {
    throw new EncodingError(`${where}.kid: expected ${hex(key.kid)}, the key's own`);
  }
  const end = source.get("not_after_ms");
  return {
    public: key,
    notBeforeMs: closed.integer(source.get("not_before_ms"), `${where}.not_before_ms`),
    notAfterMs: end === null ? null : closed.integer(end, `${where}.not_after_ms`),
  };
}

function gateway(value) {
  const where = "trust.gateways";
  const source = closed.record(value, ["id", "public_key"], where);
  publicKey(source.get("public_key"), `${where}.public_key`);
  return { id: closed.identifier(source.get("id"), `${where}.id`) };
}

function plant(value) {
  const where = "trust.plants";
  const source = closed.record(value, ["enterprise", "sha256"], where);
  return {
    enterprise: closed.identifier(source.get("enterprise"), `${where}.enterprise`),
    sha256: closed.hexadecimal(source.get("sha256"), `${where}.sha256`, 32),
  };
}

function block(value) {
  const where = "trust.blocks";
  const source = closed.record(value, ["number", "hash", "time"], where);
  return {
    number: closed.integer(source.get("number"), `${where}.number`),
    hash: prefixed(source.get("hash"), `${where}.hash`, 32),
    timeS: closed.integer(source.get("time"), `${where}.time`),
  };
}

function policy(value) {
  const where = "trust.witnesses";
  const source = closed.record(value, ["threshold", "keys"], where);
  const witnesses = closed.sequence(source.get("keys"), `${where}.keys`, WITNESSES_MAX).map(witness);
  closed.eachOnce(witnesses.map((each) => hex(each.public.raw)), `${where}.keys`);
  closed.eachOnce(witnesses.map((each) => each.name), `${where}.keys`);
  const threshold = closed.integer(source.get("threshold"), `${where}.threshold`, 1);
  if (threshold > witnesses.length) throw new EncodingError(`${where}.threshold: expected at most ${witnesses.length} keys`);
  return { threshold, witnesses };
}

function witness(value) {
  const where = "trust.witnesses.keys";
  const source = closed.record(value, ["name", "public_key"], where);
  const key = publicKey(source.get("public_key"), `${where}.public_key`);
  return { name: closed.identifier(source.get("name"), `${where}.name`), public: key };
}

/** Who may stamp time, by the DER of the stamping certificate itself. */
function authorities(value) {
  const where = "trust.timestamp_authorities";
  const found = closed.sequence(value, where, AUTHORITIES_MAX).map((item) => {
    const source = closed.record(item, ["name", "certificate"], where);
    const text = source.get("certificate");
    const bytes = Math.min(Math.floor((text?.length ?? 0) / 2), CERTIFICATE_BYTES_MAX);
    return {
      name: closed.identifier(source.get("name"), `${where}.name`),
      certificate: closed.hexadecimal(text, `${where}.certificate`, bytes),
    };
  });
  if (found.length === 0) throw new EncodingError(`${where}: expected an entry where the key is there`);
  closed.eachOnce(found.map((each) => hex(each.certificate)), where);
  return found;
}

/** Who seals blocks of a QBFT chain. */
function readValidators(value) {
  const where = "trust.validators";
  const validators = closed.sequence(value, where, ITEMS_MAX).map((item) => {
    const source = closed.record(item, ["address", "from_block", "to_block"], where);
    const [fromBlock, end] = [closed.integer(source.get("from_block"), `${where}.from_block`), source.get("to_block")];
    return {
      address: prefixed(source.get("address"), `${where}.address`, ADDRESS_BYTES),
      fromBlock,
      toBlock: end === null ? null : closed.integer(end, `${where}.to_block`, fromBlock),
    };
  });
  if (validators.length === 0) throw new EncodingError(`${where}: expected an entry where the key is there`);
  closed.eachOnce(validators.map((each) => `${hex(each.address)} ${each.fromBlock}`), where);
  return validators;
}

function prefixed(value, where, count) {
  if (typeof value !== "string" || !value.startsWith("0x")) {
    throw new EncodingError(`${where}: expected 0x and ${2 * count} hexadecimal digits`);
  }
  return closed.hexadecimal(value.slice(2), where, count);
}
