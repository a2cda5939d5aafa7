// The evidence package's manifest, `data/manifest.json`: it names every other payload file.

import { hex } from "./bytes.js";
import * as canonicalJson from "./canonical_json.js";
import * as closed from "./closed.js";
import { EncodingError } from "./errors.js";

export const MANIFEST_PATH = "data/manifest.json";
const VERSION = 1;
const FILES_MAX = 1024;
const PARAMETERS_MAX = 1024;
const SALT_BYTES = 16;
const REASONS = ["no_cems"];
const KEYS = [
  "version", "subject", "start_ms", "end_ms", "plant_sha256", "standard", "rules", "software",
  "parameters", "padding", "files", "gateways",
];

/** Read a manifest; `EncodingError` names the first field out of shape. @param {Uint8Array} data */
export function decode(data) {
  const where = "manifest";
  const value = canonicalJson.loads(data, where);
  const told = closed.mapping(value, where).has("absent");
  const source = closed.record(value, told ? [...KEYS, "absent"] : KEYS, where);
  closed.version(source, VERSION, where);
  closed.hexadecimal(source.get("plant_sha256"), `${where}.plant_sha256`, 32);
  const list = (key, max, read) => closed.sequence(source.get(key), `${where}.${key}`, max).map(read);
  const manifest = {
    subject: closed.subject(closed.text(source.get("subject"), `${where}.subject`), where),
    startMs: closed.integer(source.get("start_ms"), `${where}.start_ms`),
    endMs: closed.integer(source.get("end_ms"), `${where}.end_ms`),
    standard: pack(source.get("standard"), `${where}.standard`),
    rules: pack(source.get("rules"), `${where}.rules`),
    software: closed.text(source.get("software"), `${where}.software`),
    parameters: list("parameters", PARAMETERS_MAX, parameter),
    padding: list("padding", PARAMETERS_MAX, (salt) => closed.hexadecimal(salt, `${where}.padding`, SALT_BYTES)),
    files: list("files", FILES_MAX, file),
    gateways: list("gateways", FILES_MAX, gateway),
  };
  checkNames(manifest, told ? absent(source.get("absent")) : []);
  if (manifest.startMs >= manifest.endMs) throw new EncodingError(`${where}: expected start_ms < end_ms`);
  return manifest;
}

function checkNames(manifest, missing) {
  const names = manifest.parameters.map((each) => each.name);
  closed.eachOnce(names, "manifest.parameters");
  closed.ascending(manifest.files.map((each) => each.path), "manifest.files");
  closed.ascending(manifest.gateways.map((each) => each.gw), "manifest.gateways");
  if (missing.some((name) => names.includes(name))) {
    throw new EncodingError("manifest.absent: expected names without a figure");
  }
}

function absent(value) {
  const where = "manifest.absent";
  const names = closed.sequence(value, where, PARAMETERS_MAX).map((item) => {
    const source = closed.record(item, ["name", "reason"], where);
    if (!REASONS.includes(source.get("reason"))) throw new EncodingError(`${where}.reason: expected one of ${REASONS}`);
    return closed.identifier(source.get("name"), `${where}.name`);
  });
  if (names.length === 0) throw new EncodingError(`${where}: expected an entry where the key is there`);
  closed.ascending(names, where);
  return names;
}

function pack(value, where) {
  const source = closed.record(value, ["name", "version", "sha256"], where);
  return {
    name: closed.packName(source.get("name"), `${where}.name`),
    version: closed.text(source.get("version"), `${where}.version`),
    sha256: closed.hexadecimal(source.get("sha256"), `${where}.sha256`, 32),
  };
}

function parameter(value, i) {
  const where = `manifest.parameters[${i}]`;
  const source = closed.record(value, ["index", "name", "value", "unit", "salt"], where);
  if (closed.integer(source.get("index"), `${where}.index`) !== i) throw new EncodingError(`${where}.index: expected ${i}`);
  closed.text(source.get("unit"), `${where}.unit`);
  return {
    name: closed.identifier(source.get("name"), `${where}.name`),
    value: closed.decimal(source.get("value"), `${where}.value`),
    salt: closed.hexadecimal(source.get("salt"), `${where}.salt`, SALT_BYTES),
  };
}

function file(value, i) {
  const where = `manifest.files[${i}]`;
  const source = closed.record(value, ["path", "bytes", "sha256", "sm3"], where);
  return {
    path: payloadPath(closed.text(source.get("path"), `${where}.path`), where),
    bytes: closed.integer(source.get("bytes"), `${where}.bytes`),
    sha256: hex(closed.hexadecimal(source.get("sha256"), `${where}.sha256`, 32)),
    sm3: hex(closed.hexadecimal(source.get("sm3"), `${where}.sm3`, 32)),
  };
}

function gateway(value, i) {
  const where = `manifest.gateways[${i}]`;
  const keys = ["first_epoch", "first_seq", "epoch", "last_seq"];
  const source = closed.record(value, ["gw", ...keys, "head"], where);
  const [firstEpoch, firstSeq, epoch, lastSeq] = keys.map((key) => closed.integer(source.get(key), `${where}.${key}`, 1));
  if (firstEpoch > epoch || (firstEpoch === epoch && firstSeq > lastSeq)) {
    throw new EncodingError(`${where}: expected first ≤ last`);
  }
  const gw = closed.identifier(source.get("gw"), `${where}.gw`);
  return { gw, firstEpoch, firstSeq, epoch, lastSeq, head: closed.hexadecimal(source.get("head"), `${where}.head`, 32) };
}

/** `data/` and at most three identifiers. */
function payloadPath(path, where) {
  const [top, ...parts] = path.split("/");
  if (top !== "data" || parts.length < 1 || parts.length > 3 || path === MANIFEST_PATH) {
    throw new EncodingError(`${where}: expected a payload path data/…, got ${path}`);
  }
  parts.forEach((part) => closed.identifier(part, `${where}: path`));
  return path;
}
