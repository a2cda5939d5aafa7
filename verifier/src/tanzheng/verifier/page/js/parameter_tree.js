// The salted tree of a month's reported figures; a leaf is CBOR [salt, name, value].

import * as cbor from "./cbor.js";
import { EncodingError } from "./errors.js";
import { leafHash, rootFromInclusion, treeRoot } from "./merkle.js";

export const LEAVES_STEP = 64;

/** The root of a manifest's figures and padding; `EncodingError` where the tree is not full. */
export function parametersRoot(manifest) {
  const { parameters, padding } = manifest;
  const leaves = parameters.map((each) => leaf(each.salt, each.name, each.value));
  leaves.push(...padding.map((salt) => leaf(salt, "", "")));
  const expected = Math.ceil(parameters.length / LEAVES_STEP) * LEAVES_STEP;
  if (leaves.length !== expected || expected === 0) {
    throw new EncodingError(`parameters: expected ${expected} leaves with padding, got ${leaves.length}`);
  }
  return treeRoot(leaves);
}

/** The root to which one disclosed figure leads in a tree of `count` leaves. */
export function disclosedRoot(figure, count) {
  const digest = leafHash(leaf(figure.salt, figure.name, figure.value));
  return rootFromInclusion(digest, figure.index, count, figure.path);
}

function leaf(salt, name, value) {
  return cbor.dumps([salt, name, value]);
}
