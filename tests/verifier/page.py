"""The page's check, driven from Python in bulk: many cases a call."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fix_browser import Chromium
from tanzheng.verifier.page import assemble

CASES_AT_ONCE = 500

# Hexadecimal in, one short answer a case out; the names are those of the vectors.
CHECK_ALL = """
async (cases) => {
  const { fromHex } = module_bytes;
  const answers = [];
  for (const told of cases) {
    const optional = {
      lastCheckpoint: told.last_checkpoint && fromHex(told.last_checkpoint),
      consistency: told.consistency && fromHex(told.consistency),
      disclosure: told.disclosure && fromHex(told.disclosure),
      cosignatures: told.cosignatures?.map(fromHex),
      files: told.package && new Map(Object.entries(told.package).map(([p, d]) => [p, fromHex(d)])),
    };
    const given = { receipt: fromHex(told.receipt), trust: fromHex(told.trust), ...optional };
    const found = await tanzheng.check(given);
    answers.push(found.refused ? { refused: found.refused } : {
      points: Object.fromEntries(found.points.map((p) => [p.name, p.verdict])),
      details: Object.fromEntries(found.points.map((p) => [p.name, p.detail])),
    });
  }
  return answers;
}
"""
NAMES = {"lastCheckpoint": "last_checkpoint", "files": "package"}
RECOMPUTED = {"plant", "packs", "batches", "coverage", "figures"}


def opened(chromium: Chromium, folder: Path) -> Chromium:
    """The browser with the page open, from a file in `folder`."""
    path = folder / "verify.html"
    path.write_bytes(assemble())
    chromium.open(path)
    return chromium


def check_all(chromium: Chromium, cases: Sequence[Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    """The page's answers to vectors, in the form of `judge`."""
    for start in range(0, len(cases), CASES_AT_ONCE):
        found = chromium.evaluate(CHECK_ALL, list(cases[start : start + CASES_AT_ONCE]))
        yield from map(_as_judged, found)


def _as_judged(found: dict[str, Any]) -> dict[str, Any]:
    if "refused" in found:
        return {"refused": NAMES.get(found["refused"], found["refused"])}
    for part in found.values():  # what the page leaves to the command line
        for name in RECOMPUTED & part.keys():
            del part[name]
    return found
