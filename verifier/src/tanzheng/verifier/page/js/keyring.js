// Whose signature counts: the trust file, and the key events of the log since. An event counts where a
// key that stands signed it, of the same holder and role; events are taken in the order of the log.

import * as cbor from "./cbor.js";
import { equal, hex } from "./bytes.js";
import { CheckFailed, SignatureInvalid, TanzhengError } from "./errors.js";
import { KEY_EVENT } from "./kinds.js";
import { instant } from "./points.js";
import { Untrusted, validAt } from "./trust.js";

const POSSESSION_TAG = "tanzheng/possession/v1";

/** A key that was rotated out or revoked before it signed this, or compromised by then. */
class KeyGone extends CheckFailed {}

/**
 * Who may sign what and when; `ignored` are the events that do not count, with the reason.
 *
 * A statement in the log is {index, tMs, signed}: its leaf, by when the chain proves it, and itself.
 */
export class Keyring {
  constructor(trust) {
    this.trust = trust;
    this.cuts = new Map();
    this.begin();
  }

  /** The trust file with key events applied. */
  static async of(trust, events) {
    const keyring = new Keyring(trust);
    const log = [...events].sort((a, b) => a.index - b.index);
    for (;;) { // a compromise that was once found stays, and may take more with it
      const before = keyring.known();
      keyring.begin();
      for (const event of log) await keyring.take(event);
      if (keyring.known() === before) return keyring;
    }
  }

  /** The compromises found so far, in one text. */
  known() {
    return [...this.cuts].map(([kid, cut]) => `${kid} ${cut}`).sort().join();
  }

  begin() {
    const { operatorKeys, signers } = this.trust;
    const roots = [
      ...operatorKeys.map((key) => ({ holder: null, role: "operator", key, enterprises: null })),
      ...signers.map(({ name, role, key, enterprises }) => ({ holder: name, role, key, enterprises })),
    ];
    this.held = new Map(roots.map((root) => [hex(root.key.public.kid), { ...root, first: 0, last: Infinity }]));
    this.ignored = [];
  }

  /** Resolve where the key that signed a statement may have. */
  async check({ index, tMs, signed }) {
    const { statement: stated, message } = signed;
    const revokesItself = stated.type === KEY_EVENT && stated.act === "revoke" && equal(stated.kid, message.kid);
    const key = revokesItself
      ? this.find(stated.role, stated.issuer, message.kid).key.public
      : this.key(stated.signer, stated.issuer, message.kid, index, tMs);
    this.checkPlant(stated, message.kid);
    await message.verify(key);
  }

  /** Whoever speaks of a plant has it on trust; of its own keys a holder always speaks. */
  checkPlant(stated, kid) {
    const { enterprises } = this.held.get(hex(kid));
    const [enterprise] = stated.subject.split("/");
    if (enterprises === null || stated.type === KEY_EVENT || enterprises.some((known) => covers(known, enterprise))) return;
    throw new Untrusted(
      `${stated.signer} key ${hex(kid)}: expected a plant of ${stated.issuer}'s (${shown(enterprises)}), got ${enterprise}`,
    );
  }

  /** The key `kid` where `holder` may sign leaf `index` with it in `role` at `tMs`. */
  key(role, holder, kid, index, tMs) {
    const held = this.find(role, holder, kid);
    const named = `${role} key ${hex(kid)}`;
    if (!validAt(held.key, tMs)) throw new Untrusted(`${named}: expected it valid at ${tMs}, it is not`);
    if (index < held.first || index > held.last) {
      throw new KeyGone(`${named}: expected leaf ${held.first} to ${held.last}, got ${index}`);
    }
    const cut = this.cuts.get(hex(kid));
    if (cut !== undefined && tMs >= cut) {
      throw new KeyGone(`${named}: compromised since ${instant(cut)}, and this was there by ${instant(tMs)} only`);
    }
    return held.key.public;
  }

  find(role, holder, kid) {
    const held = this.held.get(hex(kid));
    if (held === undefined || held.role !== role || (held.holder !== null && held.holder !== holder)) {
      throw new Untrusted(`${role} key: expected a trusted one of ${holder}, got ${hex(kid)}`);
    }
    return held;
  }

  // ---------------------------------------------------------------- events

  async take(logged) {
    try {
      await this.apply(logged, logged.signed.statement);
    } catch (error) {
      if (!(error instanceof TanzhengError)) throw error;
      this.ignored.push({ logged, reason: error.message });
    }
  }

  async apply(logged, event) {
    await this.check(logged);
    const { kid } = logged.signed.message;
    if (event.act === "rotate" && !equal(event.kid, kid)) {
      throw new Untrusted("key event: expected the old key to sign that it is rotated");
    }
    if (event.key !== null) await this.add(logged, event);
    if (event.kid !== null) this.end(logged, event);
  }

  async add(logged, event) {
    await checkPossession(event);
    const kid = hex(event.key.kid);
    if (this.held.has(kid)) throw new Untrusted(`key event: expected a new key, ${kid} is held already`);
    const { holder, enterprises } = this.held.get(hex(logged.signed.message.kid));
    const key = { public: event.key, notBeforeMs: logged.tMs, notAfterMs: null };
    this.held.set(kid, { holder, enterprises, role: event.role, key, first: logged.index, last: Infinity });
  }

  end(logged, event) {
    const held = this.find(event.role, event.issuer, event.kid);
    const kid = hex(event.kid);
    this.held.set(kid, { ...held, last: Math.min(held.last, logged.index) });
    if (event.compromisedSinceMs === null) return;
    this.cuts.set(kid, Math.min(this.cuts.get(kid) ?? Infinity, event.compromisedSinceMs));
  }
}

/** Whether `known`, an enterprise or with a star at the end how some begin, is this one. */
function covers(known, enterprise) {
  return known.endsWith("*") ? enterprise.startsWith(known.slice(0, -1)) : enterprise === known;
}

function shown(enterprises) {
  return enterprises.slice(0, 5).join(", ") + (enterprises.length > 5 ? " …" : "");
}

/** Resolve where the new key signed for itself, so that nobody brings another's. */
async function checkPossession({ issuer, role, key, possession }) {
  if (key === null || possession === null) throw new SignatureInvalid("key event: expected a new key");
  await key.verify(possession, cbor.dumps([POSSESSION_TAG, issuer, role, key.raw]));
}
