// What a person drops or chooses, told by its content and brought together.

import { BadInput } from "./errors.js";
import * as cbor from "./cbor.js";
import { KEY_EVENT } from "./kinds.js";
import * as receipt from "./receipt.js";

const PACKAGE_BYTES_MAX = 1 << 30;
const FILE_BYTES_MAX = 64 << 20;
const FILES_MAX = 1024;
const MARKS = {
  "application/vnd.tanzheng.checkpoint+cbor": "lastCheckpoint",
  "application/vnd.tanzheng.cosignature+cbor": "cosignatures",
};

const NAMES = [
  [/trust/i, "trust"], [/receipt/i, "receipt"], [/consistency/i, "consistency"],
  [/cosign/i, "cosignatures"], [/checkpoint/i, "lastCheckpoint"], [/redact|disclos/i, "disclosure"],
];

/** Which slot a file is for by its content, or by its name where it is damaged; null for neither. */
export function slotOf(data, name) {
  return slotOfContent(data) ?? NAMES.find(([pattern]) => pattern.test(name))?.[1] ?? null;
}

function slotOfContent(data) {
  if (data[0] === 0x7b || /^\s*\{/.test(new TextDecoder().decode(data.subarray(0, 64)))) return jsonSlot(data);
  try {
    return cborSlot(cbor.loads(data));
  } catch (error) {
    if (error instanceof BadInput) return null;
    throw error;
  }
}

/** What a second receipt is for: a key event that is known, or the last checkpoint in it. */
export function slotOfSecond(data) {
  try {
    return receipt.decode(data).statement.statement.type === KEY_EVENT ? "keyEvents" : "lastCheckpoint";
  } catch (error) {
    if (error instanceof BadInput) return "lastCheckpoint";
    throw error;
  }
}

function jsonSlot(data) {
  const text = new TextDecoder().decode(data);
  if (text.includes('"operator_keys"')) return "trust";
  return text.includes('"tanzheng/disclosure"') ? "disclosure" : null;
}

function cborSlot(value) {
  if (value instanceof Map && value.has("core")) return "receipt";
  if (value instanceof cbor.Tag && Array.isArray(value.value)) return MARKS[contentType(value.value[0])] ?? null;
  if (!Array.isArray(value)) return null;
  if (value.length === 3 && typeof value[0] === "number") return "consistency";
  return value.every((item) => item instanceof Uint8Array) ? "cosignatures" : null;
}

function contentType(header) {
  return header instanceof Uint8Array ? cbor.loads(header).get(3) : null;
}

/** @param {File} file */
export async function bytesOf(file, bytesMax = FILE_BYTES_MAX) {
  if (file.size > bytesMax) throw new BadInput(`${file.name}: expected at most ${bytesMax} bytes, got ${file.size}`);
  return new Uint8Array(await file.arrayBuffer());
}

/** A package as path → bytes. @param {Array<[string, File]>} found paths below the package's folder */
export async function packageOf(found) {
  const total = found.reduce((sum, [, file]) => sum + file.size, 0);
  if (found.length > FILES_MAX || total > PACKAGE_BYTES_MAX) {
    throw new BadInput(`package: expected at most ${FILES_MAX} files and ${PACKAGE_BYTES_MAX} bytes`);
  }
  const files = new Map();
  for (const [path, file] of found) files.set(path, await bytesOf(file, PACKAGE_BYTES_MAX));
  return files;
}

/** The files of a chosen folder with their paths below it. @param {Iterable<File>} list */
export function belowFolder(list) {
  return [...list].map((file) => [file.webkitRelativePath.split("/").slice(1).join("/"), file]);
}

/** What was dropped: single files, and the files of each folder. @param {DataTransfer} transfer */
export async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const files = [];
  const folders = [];
  for (const entry of entries) {
    if (entry.isDirectory) folders.push({ name: entry.name, found: await within(entry, "") });
    else files.push(await new Promise((resolve, reject) => entry.file(resolve, reject)));
  }
  return { files, folders };
}

async function within(folder, prefix) {
  const found = [];
  const reader = folder.createReader();
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return found;
    for (const entry of some) {
      const path = prefix + entry.name;
      if (entry.isDirectory) found.push(...(await within(entry, `${path}/`)));
      else found.push([path, await new Promise((resolve, reject) => entry.file(resolve, reject))]);
      if (found.length > FILES_MAX) throw new BadInput(`package: expected at most ${FILES_MAX} files`);
    }
  }
}
