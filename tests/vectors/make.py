"""Writes the published vectors; run it from `tests`: `python -m vectors.make`.

Keys and seeds are fixed and there is no clock: two runs give equal bytes.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vectors import cases, cases_sealed, cases_statements, cases_timestamps, parts, trusts
from vectors.case import Case
from vectors.judge import Given, judge

FOLDER = Path(__file__).parent
FILES = {
    "receipts": cases.receipts,
    "consistency": cases.consistencies,
    "witnessed": cases.witnessed,
    "redacted": cases.redacted,
    "package": cases.packages,
    "sealed": cases_sealed.sealed,
    "damaged": cases.damaged,
    "trust": trusts.trusts,
    "timestamps": cases_timestamps.timestamps,
    "statements": cases_statements.statements,
}


def files() -> dict[str, bytes]:
    """Name → content of every file."""
    told = {name: _cases(name, list(make())) for name, make in FILES.items()}
    told["parts"] = parts.told()
    return {
        f"{name}.json": (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()
        for name, value in told.items()
    }


def _cases(name: str, found: list[Case]) -> dict[str, Any]:
    names = [case.name for case in found]
    assert len(set(names)) == len(names), names
    return {"vectors": name, "version": 1, "cases": [_case(case) for case in found]}


def _case(case: Case) -> dict[str, Any]:
    answer = judge(case.given)
    code = 2 if "refused" in answer else answer["exit_code"]
    told = {"name": case.name, **told_of(case.given), "exit_code": code}
    if "refused" in answer:
        return {**told, "refused": answer["refused"]}
    return {**told, "points": answer["points"]}


def told_of(given: Given) -> dict[str, Any]:
    """What is handed in, as the vectors tell it: bytes in hexadecimal."""
    optional = {
        "last_checkpoint": given.last_checkpoint and given.last_checkpoint.hex(),
        "consistency": given.consistency and given.consistency.hex(),
        "cosignatures": [raw.hex() for raw in given.cosignatures],
        "key_events": [raw.hex() for raw in given.key_events],
        "documents": _texts(given.documents),
        "disclosure": given.disclosure and given.disclosure.hex(),
        "package": _texts(given.package),
    }
    told = {"receipt": given.receipt.hex(), "trust": given.trust.hex()}
    return {**told, **{key: value for key, value in optional.items() if value not in (None, [])}}


def _texts(files: Mapping[str, bytes] | None) -> dict[str, str] | None:
    return None if files is None else {path: data.hex() for path, data in files.items()}


def main() -> None:
    for name, data in files().items():
        (FOLDER / name).write_bytes(data)


if __name__ == "__main__":
    main()
