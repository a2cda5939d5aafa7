"""Device profiles from their YAML files in `profiles/`.

PyYAML and jsonschema are imported where they are used: the edge's lean process imports
`profile.py` only.
"""

import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from tanzheng.hardware.errors import ProfileError
from tanzheng.hardware.profile import PointSpec, Profile, ScaleRegister

__all__ = [
    "PointSpec",
    "Profile",
    "ScaleRegister",
    "check_profile_file",
    "load_profile",
    "profile_ids",
    "read_profile_file",
]

_FOLDER = resources.files("tanzheng.hardware") / "profiles"
_SCHEMA = "profile.schema.json"


def profile_ids() -> tuple[str, ...]:
    """The ids of the profiles that ship, sorted."""
    return tuple(
        sorted(
            item.name.removesuffix(".yaml")
            for item in _FOLDER.iterdir()
            if item.name.endswith(".yaml")
        )
    )


@cache
def load_profile(profile_id: str) -> Profile:
    """The shipped profile called `profile_id`; `ProfileError` where there is none or it is bad."""
    if profile_id not in profile_ids():
        raise ProfileError(
            f"expected one of the profiles {', '.join(profile_ids())}, got {profile_id!r}"
        )
    path = _FOLDER / f"{profile_id}.yaml"
    return Profile.from_plan(_parse(path.read_text(encoding="utf-8"), path.name))


def read_profile_file(path: Path) -> Profile:
    """A profile from a file of the plant's own; `ProfileError` with the place of the mistake."""
    return Profile.from_plan(_parse(_text(path), str(path)))


def check_profile_file(path: Path) -> Profile:
    """As `read_profile_file`, after a check against the JSON schema that names each bad key."""
    from jsonschema import Draft202012Validator

    document = _parse(_text(path), str(path))
    validator = Draft202012Validator(json.loads((_FOLDER / _SCHEMA).read_text(encoding="utf-8")))
    for error in sorted(validator.iter_errors(document), key=lambda item: item.json_path):
        raise ProfileError(f"{path}: {error.message}, at {error.json_path}")
    return Profile.from_plan(document)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileError(f"{path}: cannot be read as UTF-8 text ({error})") from error


def _parse(text: str, where: str) -> dict[str, Any]:
    import yaml

    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ProfileError(f"{where}: expected YAML ({error})") from error
    if not isinstance(document, dict):
        raise ProfileError(f"{where}: expected a mapping, got {type(document).__name__}")
    return document
