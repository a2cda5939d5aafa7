// Whose signature it is on the curve of Ethereum: public-key recovery (SEC 1 §4.1.6), no signing.

import { concat } from "./bytes.js";
import { SignatureInvalid } from "./errors.js";
import { keccak256 } from "./keccak.js";

export const SIGNATURE_BYTES = 65;

const P = 2n ** 256n - 2n ** 32n - 977n;
const N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const G = [
  0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798n,
  0x483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8n,
];
const INFINITY = [0n, 1n, 0n];

/** The 20 bytes of the account that signed `digest`; only the smaller s is taken. */
export function recoverAddress(digest, signature) {
  const [r, s, parity] = [integer(signature.subarray(0, 32)), integer(signature.subarray(32, 64)), signature[64]];
  if (r === 0n || r >= N || s === 0n || s >= N || parity > 1) {
    throw new SignatureInvalid("signature: expected r, s and 0 or 1, got other numbers");
  }
  if (s > N / 2n) throw new SignatureInvalid("signature: expected the lower of the two forms of a signature");
  const square = mod(r * r * r + 7n, P);
  const root = power(square, (P + 1n) / 4n, P);
  if ((root * root) % P !== square) throw new SignatureInvalid("signature: expected r to be of a point on the curve");
  const y = Number(root & 1n) === parity ? root : P - root;
  const inverse = power(r, N - 2n, N);
  const [a, b] = [mod(-integer(digest) * inverse, N), mod(s * inverse, N)];
  return keccak256(affine(sumOf(a, G, b, [r, y]))).subarray(12);
}

/** a · first + b · second, both in one pass (Shamir). */
function sumOf(a, first, b, second) {
  const [one, two] = [[...first, 1n], [...second, 1n]];
  const table = [INFINITY, one, two, add(one, two)];
  let total = INFINITY;
  for (let bit = 255n; bit >= 0n; bit--) {
    total = double(total);
    const which = Number(((a >> bit) & 1n) + 2n * ((b >> bit) & 1n));
    if (which) total = add(total, table[which]);
  }
  return total;
}

function double(point) {
  const [x, y, z] = point;
  if (z === 0n) return point;
  const yy = (y * y) % P;
  const s = (4n * x * yy) % P;
  const m = (3n * x * x) % P;
  const x3 = mod(m * m - 2n * s, P);
  return [x3, mod(m * (s - x3) - 8n * yy * yy, P), (2n * y * z) % P];
}

function add(one, two) {
  if (one[2] === 0n) return two;
  if (two[2] === 0n) return one;
  const [[x1, y1, z1], [x2, y2, z2]] = [one, two];
  const [z1z1, z2z2] = [(z1 * z1) % P, (z2 * z2) % P];
  const [u1, u2] = [(x1 * z2z2) % P, (x2 * z1z1) % P];
  const [s1, s2] = [(((y1 * z2) % P) * z2z2) % P, (((y2 * z1) % P) * z1z1) % P];
  if (u1 === u2) return s1 === s2 ? double(one) : INFINITY;
  const [h, r] = [mod(u2 - u1, P), mod(s2 - s1, P)];
  const hh = (h * h) % P;
  const [hhh, v] = [(h * hh) % P, (u1 * hh) % P];
  const x3 = mod(r * r - hhh - 2n * v, P);
  return [x3, mod(r * (v - x3) - s1 * hhh, P), (((h * z1) % P) * z2) % P];
}

/** Both coordinates in 32 bytes each. */
function affine([x, y, z]) {
  if (z === 0n) throw new SignatureInvalid("signature: expected a signature by a key, got one by none");
  const inverse = power(z, P - 2n, P);
  const square = (inverse * inverse) % P;
  return concat(octets((x * square) % P), octets((((y * square) % P) * inverse) % P));
}

function power(base, exponent, modulus) {
  let [result, square] = [1n, base];
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}

function mod(value, modulus) {
  const rest = value % modulus;
  return rest < 0n ? rest + modulus : rest;
}

function integer(data) {
  return data.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

function octets(value) {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * (31 - i))) & 255n));
}
