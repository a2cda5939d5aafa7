"""The page's check, driven from Python in bulk: many cases, or mutants of one, a call."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fix_browser import Chromium
from tanzheng.verifier.page import assemble

CASES_AT_ONCE = 500
MUTANTS_AT_ONCE = 2000
NAMES = {
    "last_checkpoint": "lastCheckpoint", "key_events": "keyEvents", "package": "files",
}  # fmt: skip
RECOMPUTED = {"plant", "packs", "batches", "coverage", "figures"}

GIVEN = """
  const { fromHex, concat } = module_bytes;
  const givenOf = (told) => ({
    ...Object.fromEntries(["receipt", "trust", "lastCheckpoint", "consistency", "disclosure"]
      .filter((name) => told[name] !== undefined).map((name) => [name, fromHex(told[name])])),
    ...(told.cosignatures && { cosignatures: told.cosignatures.map(fromHex) }),
    ...(told.keyEvents && { keyEvents: told.keyEvents.map(fromHex) }),
    ...(told.documents && { documents: Object.entries(told.documents)
      .map(([name, data]) => ({ name, data: fromHex(data) })) }),
    ...(told.files && {
      files: new Map(Object.entries(told.files).map(([path, data]) => [path, fromHex(data)])),
    }),
  });
"""
CHECK_ALL = f"""async (cases) => {{ {GIVEN}
  const answers = [];
  for (const told of cases) {{
    const {{ refused, points, exitCode }} = await tanzheng.check(givenOf(told));
    answers.push(refused ? {{ refused, exit_code: 2 }} : {{
      exit_code: exitCode,
      points: Object.fromEntries(points.map((p) => [p.name, p.verdict])),
      details: Object.fromEntries(points.map((p) => [p.name, p.detail])),
    }});
  }}
  return answers;
}}"""

# A mutant is [start, end, hexadecimal]: that stretch is replaced. One word each comes back.
JUDGE_ALL = f"""async ({{ told, field, mutants }}) => {{ {GIVEN}
  const base = givenOf(told);
  const ofPackage = base.files?.has(field);
  const listed = field === "cosignatures" || field === "keyEvents";
  const good = ofPackage ? base.files.get(field) : listed ? base[field][0] : base[field];
  const words = [];
  for (const [start, end, piece] of mutants) {{
    const data = concat(good.subarray(0, start), fromHex(piece), good.subarray(end));
    const {{ refused, points }} = await tanzheng.check(ofPackage
      ? {{ ...base, files: new Map(base.files).set(field, data) }}
      : {{ ...base, [field]: listed ? [data] : data }});
    const failed = points?.filter((p) => p.verdict === "failed").map((p) => p.name);
    words.push(refused ? `refused: ${{refused}}`
      : failed.length ? `failed: ${{failed.join(", ")}}` : "ok");
  }}
  return words;
}}"""


def opened(chromium: Chromium, folder: Path) -> Chromium:
    """The browser with the page open, from a file in `folder`."""
    path = folder / "verify.html"
    path.write_bytes(assemble())
    chromium.open(path)
    return chromium


def check_all(chromium: Chromium, cases: Sequence[Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    """The page's answers to vectors, in the form of `judge`."""
    for start in range(0, len(cases), CASES_AT_ONCE):
        told = [_renamed(case) for case in cases[start : start + CASES_AT_ONCE]]
        yield from map(_as_judged, chromium.evaluate(CHECK_ALL, told))


def judge_all(
    chromium: Chromium, told: Mapping[str, Any], field: str, good: bytes, mutants: Sequence[bytes]
) -> Iterator[str]:
    """The page's word for each mutant of one `field` of a vector, in the form of `short`."""
    named = {"told": _renamed(told), "field": NAMES.get(field, field)}
    for start in range(0, len(mutants), MUTANTS_AT_ONCE):
        some = [_splice(good, data) for data in mutants[start : start + MUTANTS_AT_ONCE]]
        for word in chromium.evaluate(JUDGE_ALL, {**named, "mutants": some}):
            yield _named_as_judged(word)


def _named_as_judged(word: str) -> str:
    for name, page in NAMES.items():
        word = word.replace(f": {page}", f": {name}")
    return word


def _splice(good: bytes, data: bytes) -> tuple[int, int, str]:
    """Where the two part, where they meet again, and what stands between in the mutant."""
    shorter = min(len(good), len(data))
    start = next((i for i in range(shorter) if good[i] != data[i]), shorter)
    left = shorter - start
    same = next((i for i in range(left) if good[-1 - i] != data[-1 - i]), left)
    return start, len(good) - same, data[start : len(data) - same].hex()


def _renamed(told: Mapping[str, Any]) -> dict[str, Any]:
    return {NAMES.get(key, key): value for key, value in told.items()}


def _as_judged(found: dict[str, Any]) -> dict[str, Any]:
    back = {page: name for name, page in NAMES.items()}
    if "refused" in found:
        return {**found, "refused": back.get(found["refused"], found["refused"])}
    for part in (found["points"], found["details"]):  # what the page leaves to the command line
        for name in RECOMPUTED & part.keys():
            del part[name]
    return found
