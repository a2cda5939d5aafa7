// The page: files come in, the answer is made anew each time, nothing is kept.

import { check } from "./check.js";
import { BadInput } from "./errors.js";
import { selfTest } from "./keys.js";
import * as reading from "./reading.js";
import { SLOTS } from "./texts.js";
import * as view from "./view.js";

/** What was given, by slot: {value, shown}. */
const given = new Map();
let turn = 0;
let working = 0;

const part = (id) => document.getElementById(id);

function put(slot, value, shown) {
  const before = SLOTS[slot].several ? given.get(slot) : undefined;
  if (before === undefined) given.set(slot, { value, shown });
  else given.set(slot, { value: [...before.value, ...value], shown: `${before.shown}, ${shown}` });
}

/** A file for a slot that is known, or to be told by its content. */
async function take(file, wanted = null) {
  const data = await reading.bytesOf(file);
  const told = wanted ?? reading.slotOf(data, file.name);
  if (told === null) {
    note(`${file.name}：无法识别，请在下方选择其用途 not recognised: choose below what it is`);
    return;
  }
  const second = wanted === null && told === "receipt" && given.has("receipt");
  const slot = second ? reading.slotOfSecond(data) : told;
  const value = slot === "documents" ? { name: file.name, data } : data;
  put(slot, SLOTS[slot].several ? [value] : value, file.name);
}

async function takeFolder(found, name) {
  put("files", await reading.packageOf(found), `${name}: ${found.length} 个文件 files`);
}

function note(text) {
  part("note").textContent = text;
}

/** Take what came and answer when all of it is there; a file that cannot be read is said and left out. */
async function guarded(work) {
  note("");
  busy(1);
  try {
    await work();
  } catch (error) {
    note(error instanceof BadInput ? error.message : `无法读取 cannot be read: ${error}`);
  }
  if (working === 1) await refresh();
  busy(-1);
}

function busy(more) {
  working += more;
  document.body.setAttribute("aria-busy", String(working > 0));
}

function choose(slot, files) {
  return guarded(async () => {
    if (SLOTS[slot].folder) {
      await takeFolder(reading.belowFolder(files), files[0].webkitRelativePath.split("/")[0]);
      return;
    }
    for (const file of files) await take(file, slot);
  });
}

function remove(slot) {
  given.delete(slot);
  return refresh();
}

/** Draw the slots again; whoever was at one with the keyboard stays there. */
function showSlots() {
  const slots = part("slots");
  const at = [...slots.children].findIndex((row) => row.contains(document.activeElement));
  const rows = Object.keys(SLOTS).map((name) => view.slot(name, given.get(name), choose, remove));
  slots.replaceChildren(...rows);
  rows[at]?.querySelector("input, button").focus();
}

async function refresh() {
  showSlots();
  const mine = ++turn;
  const complete = Object.entries(SLOTS).every(([name, { needed }]) => !needed || given.has(name));
  if (!complete) {
    part("answer").hidden = true;
    return;
  }
  const handed = Object.fromEntries([...given].map(([name, { value }]) => [name, value]));
  const show = await answer(handed);
  if (mine === turn) show(); // a later choice has its own answer
}

/** How the answer is shown; no way leads to a good one but through `check`. */
async function answer(handed) {
  let found;
  try {
    found = await check(handed);
  } catch (error) {
    return () => announce("cannot", String(error.message ?? error));
  }
  if (found.refused) {
    const { zh, en } = SLOTS[found.refused];
    return () => announce("refused", `${zh} ${en}: ${found.message}`);
  }
  return () => {
    announce(found.exitCode === 0 ? "ok" : found.exitCode === 4 ? "beside" : "failed");
    view.facts(part("facts"), found, handed);
    part("points").replaceChildren(...found.points.map(view.card));
  };
}

function announce(kind, reason = "") {
  part("facts").replaceChildren();
  part("points").replaceChildren();
  part("answer").hidden = false;
  view.banner(part("banner"), kind, reason);
}

function listen() {
  const drop = part("drop");
  const any = part("any");
  any.addEventListener("change", () => guarded(async () => {
    for (const file of any.files) await take(file);
    any.value = "";
  }));
  for (const name of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", name === "dragover");
    });
  }
  document.addEventListener("drop", (event) => guarded(async () => {
    const { files, folders } = await reading.dropped(event.dataTransfer);
    for (const { name, found } of folders) await takeFolder(found, name);
    for (const file of files) await take(file);
  }));
}

async function start() {
  listen();
  await refresh();
  try {
    await selfTest();
  } catch (error) {
    announce("cannot", error.message);
  }
}

globalThis.tanzheng = { check };
start();
