// The Merkle tree of RFC 9162 §2.1: the checks a stranger makes. Sizes are whole numbers up to
// 2^53 − 1, so they are halved by division: JavaScript's shifts see 32 bits only.

import { concat, equal, shortHex } from "./bytes.js";
import { ProofInvalid } from "./errors.js";
import { sha256 } from "./sha256.js";

export const PROOF_NODES_MAX = 65;

/** H(0x00 ‖ leaf) */
export function leafHash(leaf) {
  return sha256(concat([0], leaf));
}

/** H(0x01 ‖ left ‖ right) */
export function nodeHash(left, right) {
  return sha256(concat([1], left, right));
}

const odd = (n) => n % 2 === 1;
const half = (n) => Math.floor(n / 2);

/** The root of the tree of all `leaves`. @param {Uint8Array[]} leaves not empty */
export function treeRoot(leaves) {
  let level = leaves.map(leafHash);
  while (level.length > 1) {
    const above = [];
    for (let i = 0; i + 1 < level.length; i += 2) above.push(nodeHash(level[i], level[i + 1]));
    if (level.length % 2) above.push(level.at(-1));
    level = above;
  }
  return level[0];
}

/** The root to which the leaf `digest` at `index` of `size` leads (§2.1.3.2). */
export function rootFromInclusion(digest, index, size, proof) {
  if (!(index >= 0 && index < size)) {
    throw new ProofInvalid(`inclusion: expected an index below the size ${size}, got ${index}`);
  }
  checkNodes([digest, ...proof], "inclusion");
  let [fn, sn, root] = [index, size - 1, digest];
  for (const node of proof) {
    if (sn === 0) throw new ProofInvalid(`inclusion: expected a shorter path at ${index} of ${size}`);
    if (odd(fn) || fn === sn) {
      root = nodeHash(node, root);
      while (!odd(fn) && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else {
      root = nodeHash(root, node);
    }
    [fn, sn] = [half(fn), half(sn)];
  }
  if (sn !== 0) throw new ProofInvalid(`inclusion: expected a longer path at ${index} of ${size}`);
  return root;
}

/** Return where `proof` leads from the leaf `digest` to `root`. */
export function verifyInclusion(digest, index, size, proof, root) {
  const found = rootFromInclusion(digest, index, size, proof);
  if (!equal(found, root)) {
    throw new ProofInvalid(`inclusion: expected the root ${shortHex(root)}, got ${shortHex(found)}`);
  }
}

/** Return where the tree of `second` leaves extends that of `first` (§2.1.4.2). */
export function verifyConsistency(first, second, proof, firstRoot, secondRoot) {
  checkNodes(proof, "consistency");
  if (!(first >= 1 && first <= second)) {
    throw new ProofInvalid(`consistency: expected 1 ≤ first ≤ second, got ${first} and ${second}`);
  }
  if (first === second) {
    if (proof.length || !equal(firstRoot, secondRoot)) {
      throw new ProofInvalid(`consistency: expected equal roots and no path at size ${first}`);
    }
    return;
  }
  const [fr, sr] = consistencyRoots(first, second, proof, firstRoot);
  if (!equal(fr, firstRoot) || !equal(sr, secondRoot)) {
    throw new ProofInvalid(`consistency: expected the roots of ${first} and ${second}, got others`);
  }
}

function consistencyRoots(first, second, proof, firstRoot) {
  const path = isPowerOf2(first) ? [firstRoot, ...proof] : proof;
  if (path.length === 0) throw new ProofInvalid("consistency: expected a path, got none");
  let [fn, sn] = [first - 1, second - 1];
  while (odd(fn)) [fn, sn] = [half(fn), half(sn)];
  let fr = path[0];
  let sr = path[0];
  for (const node of path.slice(1)) {
    if (sn === 0) throw new ProofInvalid("consistency: expected a shorter path");
    if (odd(fn) || fn === sn) {
      fr = nodeHash(node, fr);
      sr = nodeHash(node, sr);
      while (!odd(fn) && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else {
      sr = nodeHash(sr, node);
    }
    [fn, sn] = [half(fn), half(sn)];
  }
  if (sn !== 0) throw new ProofInvalid("consistency: expected a longer path");
  return [fr, sr];
}

function isPowerOf2(n) {
  let rest = n;
  while (!odd(rest)) rest = half(rest);
  return rest === 1;
}

function checkNodes(proof, what) {
  if (proof.length > PROOF_NODES_MAX || proof.some((node) => node.length !== 32)) {
    throw new ProofInvalid(`${what}: expected at most ${PROOF_NODES_MAX} digests of 32 bytes`);
  }
}
