"""Settings files read whole: what is wrong in them is collected, each with file, line and key."""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Final

from tanzheng.core.errors import BadInput
from tanzheng.edge.configuration.locate import Key, json_lines, line_of, toml_lines

DOCUMENT_BYTES_MAX: Final = 8 << 20
PROBLEMS_MAX: Final = 20
"""So many are shown: a file with more is likely another file."""
SHOWN_CHARS_MAX: Final = 60
_KINDS: Final = {
    "string": "a text", "integer": "a whole number", "number": "a number",
    "boolean": "true or false", "object": "a table", "array": "an array",
}  # fmt: skip
_NOTHING: Final = {"not": {}, "description": "nothing, with these other settings"}
_SECRETS: Final = frozenset({"password", "broker", "url"})


class ConfigError(BadInput):
    """Configuration files that must be mended: FILE:LINE: key: expected …, got …, one a line."""


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file: its top table, and the line of each key."""

    path: Path
    body: dict[str, Any]
    lines: dict[Key, int]

    @classmethod
    def toml(cls, path: Path) -> "Document":
        """A TOML file; `ConfigError` with the line of a syntax error."""
        text = read_text(path)
        try:
            return cls(path, tomllib.loads(text), toml_lines(text))
        except (ValueError, RecursionError) as error:
            line = _toml_line(str(error), text)
            raise ConfigError(f"{path}:{line}: expected TOML, got {error}") from error

    @classmethod
    def json(cls, path: Path) -> "Document":
        """A JSON file whose top is an object; `ConfigError` with the line of a syntax error."""
        text = read_text(path)
        try:
            body = json.loads(text)
        except json.JSONDecodeError as error:
            raise ConfigError(f"{path}:{error.lineno}: expected JSON, got {error.msg}") from error
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{path}: expected JSON, got {error}") from error
        if not isinstance(body, dict):
            raise ConfigError(f"{path}:1: expected a map of device ids to links, got {shown(body)}")
        return cls(path, body, json_lines(text))

    def where(self, *key: str | int) -> str:
        """`FILE:LINE: key`, the line of the nearest thing where the key is not there."""
        line = line_of(self.lines, key)
        return f"{self.path}:{line}: {key_text(key)}" if key else f"{self.path}:{line}"

    def resolved(self, text: str) -> Path:
        """A path in this file, relative to its folder."""
        return (self.path.parent / text).absolute()


@dataclass(slots=True)
class Problems:
    """What is wrong, and what is only worth a look, in the order in which it is found."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, document: Document, key: Key, what: str) -> None:
        """An error at `key`: `what` is "expected …, got …"."""
        self.errors.append(f"{document.where(*key)}: {what}")

    def warn(self, document: Document, key: Key, what: str) -> None:
        """Something that works but is seldom meant."""
        self.warnings.append(f"{document.where(*key)}: {what}")

    def raise_any(self) -> None:
        """`ConfigError` with every error so far, a bounded number of them."""
        if not self.errors:
            return
        lines = list(dict.fromkeys(self.errors))
        if len(lines) > PROBLEMS_MAX:
            lines[PROBLEMS_MAX:] = [f"… and {len(lines) - PROBLEMS_MAX} more · 其余从略"]
        raise ConfigError("\n".join(lines))


def read_text(path: Path) -> str:
    """The UTF-8 text of a settings file."""
    raw = read_bytes(path)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: expected UTF-8 text, got {error.reason}") from error


def read_bytes(path: Path) -> bytes:
    """The bytes of a settings file; never more than `DOCUMENT_BYTES_MAX`."""
    try:
        with path.open("rb") as file:
            raw = file.read(DOCUMENT_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(f"{path}: expected a readable file, got {error.strerror}") from error
    if len(raw) > DOCUMENT_BYTES_MAX:
        raise ConfigError(f"{path}: expected at most {DOCUMENT_BYTES_MAX} bytes, got more")
    return raw


def check_schema(
    value: Any, schema: Mapping[str, Any], document: Document, key: Key, problems: Problems
) -> bool:
    """`value`, which is at `key`, against a JSON schema; every error is added. True if there is
    none."""
    from jsonschema import Draft202012Validator

    found = list(Draft202012Validator(_with_places(schema)).iter_errors(value))
    for error in sorted(found, key=lambda each: list(map(str, each.absolute_path))):
        for inner, what in _explained(error):
            problems.add(document, (*key, *inner), what)
    return not found


def _with_places(schema: Any) -> Any:
    """`schema` with each property that is `false` in a form whose errors say where they are."""
    if isinstance(schema, list):
        return [_with_places(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    placed = {key: _with_places(value) for key, value in schema.items()}
    if isinstance(properties := placed.get("properties"), dict):
        placed["properties"] = {k: _NOTHING if v is False else v for k, v in properties.items()}
    return placed


def own_schema(name: str, package: str = "tanzheng.edge.configuration") -> dict[str, Any]:
    """A schema that ships in `package`."""
    schema = json.loads((resources.files(package) / name).read_text("utf-8"))
    assert isinstance(schema, dict)
    return schema


def key_text(key: Key) -> str:
    """`device[1].unit_id`."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def shown(value: Any, name: str | int = "") -> str:
    """`value` for a message: short, and never a secret."""
    if isinstance(value, dict):
        return "a table" if value else "{}"
    if isinstance(value, list):
        return "an array" if value else "[]"
    if name in _SECRETS:
        return "something else (not shown)"
    text = repr(value)
    return text if len(text) <= SHOWN_CHARS_MAX else text[:SHOWN_CHARS_MAX] + "…"


def _explained(error: Any) -> Iterable[tuple[Key, str]]:
    """What one schema error says: key below the value, and expected and got."""
    key: Key = tuple(error.absolute_path)
    schema, value = error.schema, error.instance
    if error.validator == "required":
        return [
            ((*key, name), "expected a value, got none")
            for name in error.validator_value
            if name not in value
        ]
    if error.validator in ("additionalProperties", "unevaluatedProperties"):
        known = sorted(schema.get("properties", {}))
        unknown = [name for name in sorted(value) if name not in known]
        what = f"expected one of {', '.join(known)}" if known else "expected no such key"
        return [((*key, name), f"{what}, got {name!r}") for name in unknown]
    if error.validator in ("oneOf", "anyOf", "if", "allOf") and error.context:
        from jsonschema.exceptions import best_match

        if "description" not in schema or key == ():
            return _explained(best_match(error.context))
    name = key[-1] if key else ""
    return [(key, f"expected {_expectation(schema, error.message)}, got {shown(value, name)}")]


def _expectation(schema: Mapping[str, Any], message: str) -> str:
    """What a schema asks for: its description where that reads as such, else from its limits."""
    description = str(schema.get("description", ""))
    if description and not description.endswith(".") and not description[0].isupper():
        return description
    if "enum" in schema:
        return f"one of {', '.join(map(str, schema['enum']))}"
    if "const" in schema:
        return str(schema["const"])
    low, high = schema.get("minimum"), schema.get("maximum")
    if "type" not in schema:
        return f"something else ({message})"
    limits = f" from {low} to {high}" if low is not None and high is not None else ""
    form = f" like {schema['pattern']}" if "pattern" in schema else ""
    return f"{_KINDS.get(schema['type'], schema['type'])}{limits}{form}"


def _toml_line(message: str, text: str) -> int:
    """The line that a message of tomllib names; it says "at end of document" for the last."""
    found = re.search(r"at line (\d+)", message)
    return int(found[1]) if found else max(1, len(text.splitlines()))
