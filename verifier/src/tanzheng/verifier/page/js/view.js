// The page's elements. Text goes in as text: nothing from a file is ever read as HTML.

import { hex, shortHex } from "./bytes.js";
import { KINDS, LABELS } from "./data.js";
import { VerifyKey } from "./keys.js";
import { MONTH } from "./kinds.js";
import { instant } from "./points.js";
import { sha256 } from "./sha256.js";
import { ANSWERS, FACTS, PROVES, SLOTS, WORDS } from "./texts.js";

/** An element with a class and children (elements or text). */
function element(name, kind, ...children) {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  made.append(...children);
  return made;
}

function english(text) {
  const made = element("span", "", text);
  made.lang = "en";
  return made;
}

/** One place for a file: what it is for, what is there, and buttons. */
export function slot(name, given, choose, remove) {
  const { zh, en, needed, folder, several } = SLOTS[name];
  const title = element("div", "", `${zh} `, english(needed ? `${en}, needed` : en));
  const made = element("li", given ? "slot given" : "slot");
  made.append(element("div", "", title, element("div", "name", given ? given.shown : needed ? "必需" : "可选")));
  if (given) made.append(button("移除 ✕", `移除${zh} remove ${en}`, () => remove(name)));
  else made.append(picker(`${zh} ${en}`, { folder, several }, (files) => choose(name, files)));
  return made;
}

function button(text, label, act) {
  const made = element("button", "drop-it", text);
  made.type = "button";
  made.setAttribute("aria-label", label);
  made.addEventListener("click", act);
  return made;
}

function picker(label, { folder = false, several = false }, act) {
  const input = element("input", "hidden-input");
  input.type = "file";
  input.webkitdirectory = folder;
  input.multiple = several || folder;
  input.setAttribute("aria-label", label);
  input.addEventListener("change", () => act([...input.files]));
  return element("label", "choose", input, "选择 ", english("choose"));
}

/** The banner: the answer in a few words, and why where a file was refused. */
export function banner(target, answer, reason = "") {
  const { kind, zh, en } = ANSWERS[answer];
  target.className = `banner ${kind}`;
  target.replaceChildren(`${zh} `, english(en), ...(reason ? [element("small", "", reason)] : []));
}

/** What is spoken of, and digests by which to name the files later. */
export function facts(target, found, given) {
  const { statement } = found;
  const [kindEn, kindZh] = KINDS[statement.type];
  const rows = [
    ["声明 statement", `${kindZh} ${kindEn}`],
    ["主体 subject", statement.subject],
    ["签发 issuer", `${statement.issuer}, seq ${statement.seq}`],
    ...(statement.type === MONTH ? ofMonth(statement) : stated(statement)),
    ...digests(given),
  ];
  target.replaceChildren(...rows.flatMap(([name, text]) => [element("dt", "", name), element("dd", "", text)]));
}

function ofMonth({ startMs, endMs, standard, rules }) {
  return [
    ["时段 period", `${instant(startMs)} – ${instant(endMs)}`],
    ["标准 standard", `${standard.name} ${standard.version}; ${rules.name} ${rules.version}`],
  ];
}

/** What a statement of another kind says, as far as it says something there. */
function stated(statement) {
  const there = Object.keys(FACTS).filter((name) => statement[name] !== undefined && statement[name] !== null);
  return there.map((name) => [FACTS[name], name === "compromisedSinceMs" ? instant(statement[name]) : told(statement[name])]);
}

/** A field's value for a reader: a statement by its subject, a quantity by name, value and unit. */
function told(value) {
  if (value instanceof Uint8Array) return hex(value);
  if (value instanceof VerifyKey) return hex(value.kid);
  if (Array.isArray(value)) return value.map(told).join(typeof value[0] === "string" ? ", " : "\n") || "–";
  if (typeof value !== "object") return String(value);
  if (value.subject !== undefined) return `${value.subject} ${shortHex(value.digest)}`;
  if (value.value !== undefined) return `${value.name} ${value.value} ${value.unit}`;
  if (value.approver !== undefined) return `${value.reason}, ${value.approver}, ${shortHex(value.digest)}`;
  const { unit, emissionsT, quantities, output } = value;
  const tonnes = emissionsT === undefined ? [] : [`${emissionsT} t`];
  return [unit, ...tonnes, ...(quantities ?? output ?? []).map(told)].join(", ");
}

function digests(given) {
  return ["receipt", "trust"].map((name) => [
    `${SLOTS[name].zh} ${SLOTS[name].en}`,
    `SHA-256 ${hex(sha256(given[name]))}`,
  ]);
}

/** One card a point. */
export function card({ name, verdict, detail }) {
  const { mark, zh, en } = WORDS[verdict];
  const [labelEn, labelZh] = LABELS[name];
  const sign = element("span", "mark", mark);
  sign.setAttribute("aria-hidden", "true");
  const [provesZh, provesEn] = PROVES[name];
  const title = element("h3", "", `${labelZh} `, english(labelEn), " ", element("span", "word", `${zh} ${en}`));
  const proves = element("p", "proves", provesZh, english(provesEn));
  const body = element("div", "", title, element("p", "detail", detail), proves);
  const made = element("li", `point ${verdict.replace(" ", "-")}`, sign, body);
  made.dataset.point = name;
  return made;
}
