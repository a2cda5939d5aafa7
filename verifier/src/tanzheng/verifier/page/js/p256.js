// P-256 as far as WebCrypto leaves it to us: compressed points, and the one form of a signature.

import { fromHex, hex } from "./bytes.js";
import { EncodingError } from "./errors.js";

const P = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n;
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** 02 or 03 and x (SEC 1 §2.3.4) as 04, x and y; `EncodingError` where that is no point. */
export function decompress(raw, where) {
  const x = number(raw.subarray(1));
  const square = mod(x ** 3n - 3n * x + B);
  const root = power(square, (P + 1n) / 4n);
  if ((raw[0] !== 2 && raw[0] !== 3) || x >= P || mod(root * root) !== square) {
    throw new EncodingError(`${where}: expected a point of P-256, got none`);
  }
  const y = Number(root & 1n) === (raw[0] & 1) ? root : P - root;
  return fromHex(`04${hex(raw.subarray(1))}${y.toString(16).padStart(64, "0")}`);
}

/** Whether s is the smaller of s and n - s: the other is as valid, and would be another signature. */
export function isLow(signature) {
  return number(signature.subarray(32)) <= ORDER / 2n;
}

function number(bytes) {
  return BigInt(`0x${hex(bytes)}`);
}

function mod(value) {
  return ((value % P) + P) % P;
}

function power(base, exponent) {
  let result = 1n;
  for (let rest = exponent, square = base; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = mod(result * square);
    square = mod(square * square);
  }
  return result;
}
