// A redacted package: some of a month's figures with salt and Merkle path, and nothing else.

import { equal, hex, shortHex } from "./bytes.js";
import * as canonicalJson from "./canonical_json.js";
import * as closed from "./closed.js";
import { UNITS } from "./data.js";
import { BadInput, CheckFailed, EncodingError, ProofInvalid } from "./errors.js";
import { MONTH } from "./kinds.js";
import { PROOF_NODES_MAX } from "./merkle.js";
import { LEAVES_STEP, disclosedRoot } from "./parameter_tree.js";
import { point } from "./points.js";

const TYPE = "tanzheng/disclosure";
const VERSION = 1;
const FIGURES_MAX = 1024;
const SALT_BYTES = 16;
const KEYS = [
  "type", "version", "subject", "manifest_sha256", "manifest_sm3", "parameters_root", "leaves", "figures",
];

/** In itself in order, but not of what the statement speaks of. */
class DisclosureForeign extends CheckFailed {}

/** Read a disclosure: its form is checked, where its figures lead is not. */
export function decode(data) {
  const where = "disclosure";
  const source = closed.record(canonicalJson.loads(data, where), KEYS, where);
  if (source.get("type") !== TYPE) throw new EncodingError(`${where}.type: expected ${TYPE}`);
  closed.version(source, VERSION, where);
  const figures = closed.sequence(source.get("figures"), `${where}.figures`, FIGURES_MAX).map(readFigure);
  if (figures.length === 0 || figures.some((each, i) => i > 0 && figures[i - 1].index >= each.index)) {
    throw new EncodingError(`${where}.figures: expected some, rising by index`);
  }
  closed.eachOnce(figures.map((each) => each.name), `${where}.figures`);
  const digest = (key) => closed.hexadecimal(source.get(key), `${where}.${key}`, 32);
  return {
    subject: closed.subject(closed.text(source.get("subject"), `${where}.subject`), where),
    manifestSha256: digest("manifest_sha256"),
    manifestSm3: digest("manifest_sm3"),
    parametersRoot: digest("parameters_root"),
    leaves: readLeaves(source.get("leaves"), `${where}.leaves`),
    figures,
  };
}

/** A tree is filled up: of a leaf near its beginning, the path alone fits other counts, too. */
function readLeaves(value, where) {
  const count = closed.integer(value, where, 1);
  if (count > FIGURES_MAX || count % LEAVES_STEP !== 0) {
    throw new EncodingError(`${where}: expected a multiple of ${LEAVES_STEP} up to ${FIGURES_MAX}, got ${count}`);
  }
  return count;
}

/** The two points of a disclosure beside a receipt. */
export async function checkDisclosure(disclosure, statement) {
  return [
    await point("disclosed", async () => disclosed(disclosure)),
    await point("named", async () => named(disclosure, statement)),
  ];
}

function disclosed(disclosure) {
  for (const figure of disclosure.figures) {
    const root = disclosedRoot(figure, disclosure.leaves);
    if (!equal(root, disclosure.parametersRoot)) {
      throw new ProofInvalid(
        `${figure.name}: expected to lead to the parameter root ${shortHex(disclosure.parametersRoot)}, ` +
          `got ${shortHex(root)}`,
      );
    }
    const unit = Object.hasOwn(UNITS, figure.name) ? UNITS[figure.name] : null;
    if (unit === null) throw new BadInput(`expected a name of the field dictionary, got ${figure.name}`);
    if (unit !== figure.unit) throw new DisclosureForeign(`${figure.name}: expected the unit ${unit}, got ${figure.unit}`);
  }
  const shown = disclosure.figures.map((each) => `${each.name} ${each.value} ${each.unit}`).join("; ");
  return `${shown}: ${disclosure.figures.length} of ${disclosure.leaves} leaves`;
}

function named(disclosure, stated) {
  if (stated.type !== MONTH) throw new EncodingError(`statement: expected ${MONTH}, got ${stated.type}`);
  const pairs = {
    subject: [stated.subject, disclosure.subject],
    "parameter root": [hex(stated.parametersRoot), hex(disclosure.parametersRoot)],
    "manifest sha-256": [hex(stated.manifestSha256), hex(disclosure.manifestSha256)],
    "manifest sm3": [hex(stated.manifestSm3), hex(disclosure.manifestSm3)],
  };
  for (const [what, [expected, got]] of Object.entries(pairs)) {
    if (expected !== got) throw new DisclosureForeign(`${what}: expected ${expected} as stated, got ${got}`);
  }
  return `parameter root ${shortHex(disclosure.parametersRoot)}, manifest digests`;
}

function readFigure(value) {
  const where = "disclosure.figures";
  const source = closed.record(value, ["index", "name", "value", "unit", "salt", "path"], where);
  const path = closed.sequence(source.get("path"), `${where}.path`, PROOF_NODES_MAX);
  return {
    index: closed.integer(source.get("index"), `${where}.index`),
    name: closed.identifier(source.get("name"), `${where}.name`),
    value: closed.decimal(source.get("value"), `${where}.value`),
    unit: closed.text(source.get("unit"), `${where}.unit`),
    salt: closed.hexadecimal(source.get("salt"), `${where}.salt`, SALT_BYTES),
    path: path.map((node) => closed.hexadecimal(node, `${where}.path`, 32)),
  };
}
