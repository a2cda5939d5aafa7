"""Device profiles from YAML files: those that ship in `profiles/`, and a plant's own.

PyYAML and jsonschema are imported where they are used: the edge's lean process imports
`profile.py` only.
"""

import json
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

from tanzheng.core.errors import BadInput
from tanzheng.hardware.errors import ProfileError
from tanzheng.hardware.profile import Profile

SHIPPED: Final = Path(str(resources.files("tanzheng.hardware") / "profiles"))
FILE_BYTES_MAX: Final = 1 << 20
_SCHEMA: Final = "profile.schema.json"
_PLACES_MAX: Final = 100_000
_DEPTH_MAX: Final = 30  # Python's own limit may have been lifted by another library


def profile_ids(folders: Sequence[Path] = ()) -> tuple[str, ...]:
    """The ids of the profiles in `folders` and of those that ship, sorted."""
    return tuple(sorted({path.stem for path in _files(folders)}))


def profile_path(profile_id: str, folders: Sequence[Path] = ()) -> Path:
    """The file of `profile_id`: the first of `folders` that has it, else the one that ships.

    `ProfileError` lists the known ids where there is none.
    """
    for path in _files(folders):
        if path.stem == profile_id:
            return path
    known = ", ".join(profile_ids(folders))
    raise ProfileError(f"expected one of the profiles {known}, got {profile_id!r}")


def load_profile(profile_id: str, folders: Sequence[Path] = ()) -> Profile:
    """The profile called `profile_id`; a plant's own in `folders` go before those that ship.

    `ProfileError` where there is none or it is bad. Site files are checked as by
    `check_profile_file`; what ships was, and is kept.
    """
    path = profile_path(profile_id, folders)
    return _shipped(path) if path.parent == SHIPPED else check_profile_file(path)


def check_profile_file(path: Path) -> Profile:
    """The profile in `path`, checked against the JSON schema and by `Profile` itself.

    `ProfileError` says file, line, key, what was expected and what is there.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    document, lines = _parse(path)
    schema = json.loads((SHIPPED / _SCHEMA).read_text(encoding="utf-8"))
    error = best_match(Draft202012Validator(schema).iter_errors(document))
    if error is not None:
        place = tuple(error.absolute_path)
        raise ProfileError(f"{path}:{_line(lines, place)}: {_key(place)}: {_explain(error)}")
    if document["id"] != path.stem:
        raise ProfileError(
            f"{path}:{_line(lines, ('id',))}: id: expected the file's name {path.stem!r}, "
            f"got {document['id']!r}"
        )
    try:
        return Profile.from_plan(document)
    except BadInput as problem:
        place = _point_place(document, str(problem))
        raise ProfileError(f"{path}:{_line(lines, place)}: {problem}") from problem


def profile_document(path: Path) -> dict[str, Any]:
    """All that the file says, notes and sources included; `ProfileError` where it is no YAML."""
    return _parse(path)[0]


@cache
def _shipped(path: Path) -> Profile:
    return Profile.from_plan(profile_document(path))


def _files(folders: Iterable[Path]) -> Iterable[Path]:
    for folder in (*folders, SHIPPED):
        yield from sorted(folder.glob("*.yaml"))


_Place = tuple[str | int, ...]


def _parse(path: Path) -> tuple[dict[str, Any], dict[_Place, int]]:
    """The document, and the line of each key and list item in it."""
    import yaml

    text = _text(path)
    try:
        document = yaml.safe_load(text)
        lines: dict[_Place, int] = {}
        _note_lines(yaml.compose(text, Loader=yaml.SafeLoader), (), lines)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ProfileError(f"{path}: expected YAML ({error})") from error
    if not isinstance(document, dict):
        raise ProfileError(f"{path}: expected a mapping, got {type(document).__name__}")
    return document, lines


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
        if len(data) > FILE_BYTES_MAX:
            raise ProfileError(f"{path}: expected at most {FILE_BYTES_MAX} bytes")
        return data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileError(f"{path}: cannot be read as UTF-8 text ({error})") from error


def _note_lines(node: Any, place: _Place, lines: dict[_Place, int]) -> None:
    """Of a YAML node and what is in it. Aliases are followed, for a mistake may lie in one: that
    can make a small file endless, so there are limits."""
    import yaml

    if len(lines) > _PLACES_MAX or len(place) > _DEPTH_MAX:
        raise ValueError(f"more than {_PLACES_MAX} keys and items, or {_DEPTH_MAX} within another")
    if node is not None:
        lines[place] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            _note_lines(value, (*place, str(key.value)), lines)
            lines[(*place, str(key.value))] = key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            _note_lines(item, (*place, number), lines)


def _line(lines: dict[_Place, int], place: _Place) -> int:
    """The line of `place`, or of the nearest thing around it that has one."""
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place, 1)


def _key(place: _Place) -> str:
    return ".".join(map(str, place)) or "profile"


def _point_place(document: dict[str, Any], problem: str) -> _Place:
    """Where the point is that `problem` names."""
    for number, point in enumerate(document["points"]):
        if f"point {point['id']}:" in problem:
            return ("points", number)
    return ()


def _explain(error: Any) -> str:
    """A schema's complaint as "expected X, got Y"."""
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        return f"expected {', '.join(missing)}, got none"
    if error.validator == "additionalProperties" and "properties" in error.schema:
        known = error.schema["properties"]
        unknown = sorted(str(name) for name in error.instance if name not in known)
        return f"expected one of {', '.join(sorted(known))}, got {', '.join(unknown)}"
    if "description" in error.schema:
        return f"expected {error.schema['description']}, got {error.instance!r}"
    return f"expected otherwise: {error.message}"
