"""The CDDL files of `core`, and a validator for each kind that is not ours."""

from functools import cache
from pathlib import Path

from cddl_verifier import Validator  # type: ignore[import-untyped]

from parts import REPOSITORY

FOLDER = REPOSITORY / "core/src/tanzheng/core/statements/cddl"


def schema_path(kind: str) -> Path:
    """Where the schema of a payload type lies."""
    return FOLDER / f"{kind.removeprefix('tanzheng.').replace('_', '-')}.cddl"


@cache
def validator(kind: str) -> Validator:
    """Of one kind: its own file, then the common one."""
    text = schema_path(kind).read_text() + (FOLDER / "envelope.cddl").read_text()
    return Validator(text)


def fits(kind: str, signed: bytes) -> bool:
    """True where signed bytes are of that kind by its schema."""
    root = f"signed-{schema_path(kind).stem}"
    return bool(validator(kind).validate(signed, root_type=root).valid)
