// DER (X.690 §10), strict: one spelling of a length, tags of one byte, nothing left over.
// Elements are taken one after another, by the tag that must stand there.

import { EncodingError } from "./errors.js";

export const BOOLEAN = 0x01;
export const INTEGER = 0x02;
export const BITS = 0x03;
export const OCTETS = 0x04;
export const NULL = 0x05;
export const OID = 0x06;
export const UTC_TIME = 0x17;
export const GENERALIZED_TIME = 0x18;
export const SEQUENCE = 0x30;
export const SET = 0x31;
const LENGTH_OCTETS_MAX = 3;

/** The tag [number] of an element that holds others. */
export function context(number) {
  return 0xa0 | number;
}

/** The elements in `data`, one after another; every error names `where`. */
export class Reader {
  constructor(data, where) {
    this.data = data;
    this.where = where;
    this.at = 0;
  }

  /** The tag of the next element, null at the end. */
  get tag() {
    return this.data[this.at] ?? null;
  }

  /** Take the next element, tag and length included; it has `tag` where one is given. */
  whole(tag = null) {
    const from = this.at;
    this.at = this.#head(tag)[1];
    return this.data.subarray(from, this.at);
  }

  /** Take what is in the next element. */
  take(tag) {
    const [from, to] = this.#head(tag);
    this.at = to;
    return this.data.subarray(from, to);
  }

  /** Take the next element, to read what is in it. */
  inside(tag) {
    return new Reader(this.take(tag), this.where);
  }

  /** Take an INTEGER in its shortest spelling: two's complement, the most significant byte first. */
  integer() {
    const body = this.take(INTEGER);
    const sign = body[1] & 0x80;
    if (body.length === 0 || (body.length > 1 && body[0] === (sign ? 0xff : 0))) {
      throw this.error("a number in its shortest spelling");
    }
    return body;
  }

  /** Return where nothing is left. */
  end() {
    if (this.tag !== null) throw this.error("the end");
  }

  /** Say what was expected here. */
  error(expected) {
    return new EncodingError(`${this.where}: expected ${expected} at byte ${this.at}`);
  }

  /** Where the body of the next element begins and ends. */
  #head(tag) {
    const found = this.tag;
    if (found === null || (found & 0x1f) === 0x1f || (tag !== null && found !== tag)) {
      const wanted = tag === null ? "" : ` of tag 0x${tag.toString(16).padStart(2, "0")}`;
      throw this.error(`an element${wanted}`);
    }
    let from = this.at + 2;
    let length = this.data[this.at + 1];
    if (length === undefined) throw this.error("a length");
    if (length >= 0x80) {
      const octets = this.data.subarray(from, from + length - 0x80);
      if (octets.length === 0 || octets.length !== length - 0x80 || octets.length > LENGTH_OCTETS_MAX || octets[0] === 0) {
        throw this.error("a length in its shortest spelling");
      }
      from += octets.length;
      length = octets.reduce((sum, octet) => sum * 256 + octet, 0);
      if (length < 0x80) throw this.error("a length in its shortest spelling");
    }
    if (from + length > this.data.length) throw this.error("an element that ends");
    return [from, from + length];
  }
}

/** An element around `body`, of at most 65,535 bytes. */
export function element(tag, body) {
  const length =
    body.length < 0x80 ? [body.length]
    : body.length < 0x100 ? [0x81, body.length]
    : [0x82, body.length >> 8, body.length & 0xff];
  const made = new Uint8Array(1 + length.length + body.length);
  made.set([tag, ...length]);
  made.set(body, 1 + length.length);
  return made;
}
