// Proofs of RFC 9162 by another's implementation: standard input is JSON {leaves, sizes, ours},
// hexadecimal; standard output is its roots and proofs, and what it says of ours.
// Where the older size is a power of two, its consistency proofs begin with the older root, which
// RFC 9162 §2.1.4.1 leaves out (its source: "hmm erata?"): taken off its own, put before ours.
const { RFC9162 } = require("@transmute/rfc9162");
const hex = (bytes) => Buffer.from(bytes).toString("hex");
const bin = (text) => new Uint8Array(Buffer.from(text, "hex"));
const whole = (size) => ((size & (size - 1)) === 0 ? 1 : 0);

async function main(given) {
  const leaves = given.leaves.map((leaf) => Buffer.from(leaf, "hex"));
  const trees = {};
  for (const size of given.sizes) {
    const entries = leaves.slice(0, size);
    const root = await RFC9162.treeHead(entries);
    const inclusion = [];
    for (let index = 0; index < size; index++)
      inclusion.push((await RFC9162.PATH(index, entries)).map(hex));
    const consistency = {};
    for (let from = 1; from < size; from++)
      consistency[from] = (await RFC9162.PROOF(from, entries)).map(hex).slice(whole(from));
    trees[size] = { root: hex(root), inclusion, consistency };
  }
  const said = { inclusion: [], consistency: [] };
  for (const { root, leaf, size, index, path } of given.ours.inclusion) {
    const proof = { log_id: "", tree_size: size, leaf_index: index, inclusion_path: path.map(bin) };
    const hash = await RFC9162.leaf(bin(leaf));
    said.inclusion.push(await RFC9162.verifyInclusionProof(bin(root), hash, proof));
  }
  for (const { first, second, from, size, path } of given.ours.consistency) {
    const proof = { log_id: "", tree_size_1: from, tree_size_2: size };
    proof.consistency_path = [...[first].slice(1 - whole(from)), ...path].map(bin);
    said.consistency.push(await RFC9162.verifyConsistencyProof(bin(first), bin(second), proof));
  }
  return { trees, said };
}

const chunks = [];
process.stdin.on("data", (chunk) => chunks.push(chunk));
process.stdin.on("end", async () => {
  process.stdout.write(JSON.stringify(await main(JSON.parse(Buffer.concat(chunks)))));
});
