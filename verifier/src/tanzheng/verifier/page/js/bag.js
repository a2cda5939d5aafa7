// The check of an evidence package (RFC 8493): every byte, up to the digest in the statement.

import { hex, shortHex, equal, utf8 } from "./bytes.js";
import { BadInput, CheckFailed } from "./errors.js";
import * as shape from "./manifest.js";
import { parametersRoot } from "./parameter_tree.js";
import { NOT_ASKED, point } from "./points.js";
import { sha256 } from "./sha256.js";
import { sm3 } from "./sm3.js";

const BAGIT = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";
const TAG_PATHS = ["bagit.txt", "bag-info.txt", "manifest-sha256.txt", "manifest-sm3.txt", "tagmanifest-sha256.txt"];
const RECOMPUTED = ["plant", "packs", "batches", "coverage", "figures"];

/** A package's files do not match what its manifests say. */
class PackageInvalid extends CheckFailed {}

/** A package that is in itself in order, but not the one the statement speaks of. */
class PackageForeign extends CheckFailed {}

/** The points of a package (path → bytes); what needs the rules and the plant file is not asked. */
export async function checkPackage(files, statement) {
  const detail = "this page does not recompute: run tanzheng verify · 重算请用命令行";
  const points = [await point("body", async () => body(files, statement))];
  return [...points, ...RECOMPUTED.map((name) => ({ name, verdict: NOT_ASKED, detail }))];
}

function body(files, stated) {
  const manifest = checkBag(files);
  const raw = files.get(shape.MANIFEST_PATH);
  const pairs = {
    "manifest sha-256": [hex(stated.manifestSha256), hex(sha256(raw))],
    "manifest sm3": [hex(stated.manifestSm3), hex(sm3(raw))],
    "parameter root": [hex(stated.parametersRoot), hex(parametersRoot(manifest))],
    subject: [stated.subject, manifest.subject],
    period: [`${stated.startMs}, ${stated.endMs}`, `${manifest.startMs}, ${manifest.endMs}`],
    gateways: [shown(stated.gateways), shown(manifest.gateways)],
    standard: [shown(stated.standard), shown(manifest.standard)],
    rules: [shown(stated.rules), shown(manifest.rules)],
    software: [stated.software, manifest.software],
  };
  for (const [what, [expected, got]] of Object.entries(pairs)) {
    if (expected !== got) throw new PackageForeign(`${what}: expected ${expected} as stated, got ${got}`);
  }
  const octets = [...files.values()].reduce((sum, data) => sum + data.length, 0);
  return `${files.size} files, ${octets.toLocaleString("en-US")} B, manifest ${shortHex(sha256(raw))}`;
}

function shown(value) {
  return JSON.stringify(value, (_, part) => (part instanceof Uint8Array ? hex(part) : part));
}

/** Check every byte of a bag and return its manifest. @param {Map<string, Uint8Array>} files */
function checkBag(files) {
  const payload = new Map([...files].filter(([path]) => !TAG_PATHS.includes(path)));
  const { manifest, digests } = checkPayload(payload);
  for (const [path, expected] of tagFiles(manifest, payload, digests)) {
    if (!files.has(path)) throw new PackageInvalid(`package: expected the tag file ${path}, got none`);
    if (!equal(files.get(path), expected)) {
      throw new PackageInvalid(`package: expected the ${path} that follows from the payload, got another one`);
    }
  }
  return manifest;
}

function checkPayload(payload) {
  const raw = payload.get(shape.MANIFEST_PATH);
  if (raw === undefined) throw new PackageInvalid(`package: expected ${shape.MANIFEST_PATH}, got none`);
  const manifest = readManifest(raw);
  const digests = new Map([[shape.MANIFEST_PATH, { sha256: hex(sha256(raw)), sm3: hex(sm3(raw)) }]]);
  for (const named of manifest.files) {
    const data = payload.get(named.path);
    if (data === undefined) throw new PackageInvalid(`package: expected ${named.path}, got no such file`);
    const found = { sha256: hex(sha256(data)), sm3: hex(sm3(data)) };
    if (data.length !== named.bytes || found.sha256 !== named.sha256 || found.sm3 !== named.sm3) {
      throw new PackageInvalid(
        `package: expected ${named.path} with sha-256 ${named.sha256.slice(0, 16)}…, got changed bytes`,
      );
    }
    digests.set(named.path, found);
  }
  const extra = [...payload.keys()].sort().find((path) => !digests.has(path));
  if (extra !== undefined) throw new PackageInvalid(`package: expected no file but those named, got ${extra}`);
  return { manifest, digests };
}

function readManifest(raw) {
  try {
    return shape.decode(raw);
  } catch (error) {
    if (error instanceof BadInput) throw new PackageInvalid(`package: ${shape.MANIFEST_PATH}: ${error.message}`);
    throw error;
  }
}

/** The tag files that follow from the payload alone. */
function tagFiles(manifest, payload, digests) {
  const octets = [...payload.values()].reduce((sum, data) => sum + data.length, 0);
  const info =
    `External-Identifier: ${manifest.subject}\nPayload-Oxum: ${octets}.${payload.size}\n` +
    `Bag-Software-Agent: ${manifest.software}\n`;
  const paths = [...digests.keys()].sort();
  const lines = (kind) => paths.map((path) => `${digests.get(path)[kind]}  ${path}\n`).join("");
  const tags = new Map(
    [BAGIT, info, lines("sha256"), lines("sm3")].map((text, i) => [TAG_PATHS[i], utf8(text)]),
  );
  const tagLines = [...tags.keys()].sort().map((path) => `${hex(sha256(tags.get(path)))}  ${path}\n`);
  return tags.set(TAG_PATHS[4], utf8(tagLines.join("")));
}
