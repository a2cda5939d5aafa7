// COSE receipts of inclusion (RFC 9942) and transparent statements (RFC 9943).

import * as cbor from "./cbor.js";
import * as closed from "./closed.js";
import * as cose from "./cose.js";
import { EncodingError } from "./errors.js";
import { PROOF_NODES_MAX } from "./merkle.js";

const CONTENT_TYPE = "application/vnd.tanzheng.inclusion+cose";
const RECEIPTS = 394;
const TREE_ALGORITHM = 395;
const PROOFS = 396;
const RFC9162_SHA256 = 1;
const INCLUSION_PROOFS = -1;
const RECEIPT_BYTES_MAX = 8192;
const LABELS = [cose.ALG, cose.CONTENT_TYPE, cose.KID, TREE_ALGORITHM];

/** Read a receipt for `root`; `size` is what it claims: the checkpoint decides. */
export function decode(raw, root) {
  const where = "inclusion receipt";
  if (raw.length > RECEIPT_BYTES_MAX) {
    throw new EncodingError(`${where}: expected at most ${RECEIPT_BYTES_MAX} bytes, got ${raw.length}`);
  }
  const message = cose.decode1(raw, CONTENT_TYPE, LABELS, root);
  if (message.header.get(TREE_ALGORITHM) !== RFC9162_SHA256) {
    throw new EncodingError(`${where}: expected the tree RFC9162_SHA256`);
  }
  const proofs = only(only(message.unprotected, PROOFS, where), INCLUSION_PROOFS, where);
  const [data] = closed.sequence(proofs, where, 1, 1);
  const [size, index, path] = closed.sequence(
    cbor.loads(closed.octets(data, where), "inclusion proof"), "inclusion proof", 3, 3,
  );
  return {
    size: closed.integer(size, `${where}.size`, 1),
    index: closed.integer(index, `${where}.index`),
    path: closed.sequence(path, where, PROOF_NODES_MAX).map((node) => closed.octets(node, where, 32)),
    message,
  };
}

/** The signed statement, byte for byte the leaf of the log, and its one receipt. */
export function detach(transparent) {
  const where = "transparent statement";
  const [protectedBytes, unprotected, payload, signature] = cose.parts(transparent, where);
  const [receipt] = closed.sequence(only(unprotected, RECEIPTS, where), where, 1, 1);
  closed.octets(protectedBytes, where);
  closed.octets(payload, where);
  closed.octets(signature, where);
  const bare = cbor.dumps(new cbor.Tag(cose.SIGN1_TAG, [protectedBytes, new Map(), payload, signature]));
  return [bare, closed.octets(receipt, where)];
}

/** What stands under `label`, the one key allowed. */
function only(value, label, where) {
  return closed.record(value, [label], where).get(label);
}
