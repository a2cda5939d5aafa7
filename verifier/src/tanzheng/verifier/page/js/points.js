// The answer of a verification: named points, each with its own verdict.

import { NotAsked, TanzhengError } from "./errors.js";

export const OK = "ok";
export const FAILED = "failed";
export const NOT_ASKED = "not asked";

/** Run `check`: what it resolves to, or the error it names, becomes the detail. */
export async function point(name, check) {
  try {
    return { name, verdict: OK, detail: await check() };
  } catch (error) {
    if (error instanceof NotAsked) return { name, verdict: NOT_ASKED, detail: error.message };
    if (error instanceof TanzhengError) return { name, verdict: FAILED, detail: error.message };
    throw error;
  }
}

/** UTC milliseconds for a reader, e.g. `2018-08-05 09:00:00Z`. */
export function instant(tMs) {
  if (tMs > 253402300799999) return `${tMs} ms`; // a hostile number is no date
  return `${new Date(tMs).toISOString().slice(0, 19).replace("T", " ")}Z`;
}
