// The heads tree: which statement of each subject is the current one.

import { bigEndian, concat, equal, shortHex } from "./bytes.js";
import * as cbor from "./cbor.js";
import { ProofInvalid } from "./errors.js";
import { leafHash, rootFromInclusion } from "./merkle.js";
import { sha256 } from "./sha256.js";

/** Return where `head` {subject, seq, digest} is current at `place` {index, count, path}. */
export function verifyCurrent(head, place, root) {
  const leaf = cbor.dumps([head.subject, head.seq, head.digest]);
  const found = rootFromInclusion(leafHash(leaf), place.index, place.count, place.path);
  if (!equal(sha256(concat([2], bigEndian(place.count, 8), found)), root)) {
    throw new ProofInvalid(`heads: expected a path to ${shortHex(root)}, got another root`);
  }
}
