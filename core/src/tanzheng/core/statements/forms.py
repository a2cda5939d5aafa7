"""How a field of a statement is carried: one `Form` says how it is written and how strictly read.

A kind is a dataclass whose fields are annotated with their forms (`Digest`, `Identifier` …), so
that each is declared once: for the CBOR payload, and for the text that people write and read, in
which byte strings are hexadecimal.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import pairwise
from typing import Annotated, Any, TypeVar, get_type_hints

from tanzheng.core import closed
from tanzheng.core.errors import EncodingError
from tanzheng.core.ids import Subject, identifier
from tanzheng.core.keys import KID_BYTES, VerifyKey

T = TypeVar("T")
ITEMS_MAX = 1024


def _same(value: Any) -> Any:
    return value


def _told(value: object, where: str) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class Form:
    """`write` gives what CBOR carries, `read` takes it back or raises, naming `where`.

    `show` turns what CBOR carries into JSON, `told` turns JSON into what `read` takes; there an
    `optional` one may be left out.
    """

    read: Callable[[Any, str], Any]
    write: Callable[[Any], Any] = _same
    show: Callable[[Any], Any] = _same
    told: Callable[[Any, str], Any] = _told
    optional: bool = False


# ------------------------------------------------------------------ single values


def octets(count: int) -> Form:
    """A byte string of `count` bytes; hexadecimal in text."""
    return Form(
        read=lambda value, where: closed.octets(value, count, where),
        show=bytes.hex,
        told=lambda value, where: closed.hexadecimal(value, count, where),
    )


def integer(least: int = 0) -> Form:
    """An integer from `least` to 2^53 - 1."""
    return Form(lambda value, where: closed.number(value, where, least))


def word(kind: type[StrEnum]) -> Form:
    """One of the words of `kind`."""

    def read(value: object, where: str) -> StrEnum:
        if not isinstance(value, str) or value not in set(kind):
            raise EncodingError(f"{where}: expected one of {[*map(str, kind)]}, got {value!r}")
        return kind(value)

    return Form(read, write=str)


IDENTIFIER = Form(identifier)
TEXT = Form(closed.line)
DECIMAL = Form(closed.decimal)
SUBJECT = Form(lambda value, _: Subject.parse(value), write=str)


def _public_key(value: object, where: str) -> VerifyKey:
    return VerifyKey(closed.typed(value, bytes, where))


PUBLIC_KEY = Form(
    read=_public_key,
    write=lambda key: key.raw,
    show=bytes.hex,
    told=lambda value, where: VerifyKey.from_hex(value, where).raw,
)

# ------------------------------------------------------------------ made of others


def optional(form: Form) -> Form:
    """A value or null."""
    return Form(
        read=lambda value, where: None if value is None else form.read(value, where),
        write=lambda value: None if value is None else form.write(value),
        show=lambda value: None if value is None else form.show(value),
        told=lambda value, where: None if value is None else form.told(value, where),
        optional=True,
    )


def many(form: Form, least: int = 0, most: int = ITEMS_MAX) -> Form:
    """A list of `least` to `most` values, a tuple in Python."""

    def each(value: object, where: str, act: Callable[[Any, str], Any]) -> list[Any]:
        found = closed.sequence(value, where, most)
        if len(found) < least:
            raise EncodingError(f"{where}: expected at least {least}, got {len(found)}")
        return [act(item, f"{where}[{i}]") for i, item in enumerate(found)]

    return Form(
        read=lambda value, where: tuple(each(value, where, form.read)),
        write=lambda values: [form.write(value) for value in values],
        show=lambda values: [form.show(value) for value in values],
        told=lambda value, where: each(value, where, form.told),
    )


def ascending(
    form: Form, least: int = 0, most: int = ITEMS_MAX, key: Callable[[Any], Any] = _same
) -> Form:
    """Like `many`, ascending by `key` without repeats: one set has one encoding."""
    listed = many(form, least, most)

    def read(value: object, where: str) -> tuple[Any, ...]:
        found: tuple[Any, ...] = listed.read(value, where)
        if any(a >= b for a, b in pairwise(map(key, found))):
            raise EncodingError(f"{where}: expected ascending order without repeats")
        return found

    return Form(read, listed.write, listed.show, listed.told)


def record(kind: type[Any], forms: Mapping[str, Form] | None = None) -> Form:
    """A map with exactly the annotated fields of the dataclass `kind` (or those of `forms`)."""

    def fields() -> Mapping[str, Form]:
        return forms_of(kind) if forms is None else forms

    return Form(
        read=lambda value, where: kind(**read_fields(fields(), value, where)),
        write=lambda value: write_fields(fields(), value),
        show=lambda value: show_fields(fields(), value),
        told=lambda value, where: told_fields(fields(), value, where),
    )


# ------------------------------------------------------------------ the fields of a dataclass


def forms_of(kind: type[Any]) -> Mapping[str, Form]:
    """Return the form of every field of `kind` that has one."""
    hashable: Any = kind  # for the type checker a class may not be
    return _forms_of(hashable)


@cache
def _forms_of(kind: type[Any]) -> Mapping[str, Form]:
    hints = get_type_hints(kind, include_extras=True)
    return {
        name: form
        for name, hint in hints.items()
        for form in getattr(hint, "__metadata__", ())
        if isinstance(form, Form)
    }


def write_fields(forms: Mapping[str, Form], value: object) -> dict[str, Any]:
    """Return the map that carries these fields of `value`."""
    return {name: form.write(getattr(value, name)) for name, form in forms.items()}


def read_fields(forms: Mapping[str, Form], value: object, where: str) -> dict[str, Any]:
    """Read a map with exactly these fields; `EncodingError` or `BadInput` names the wrong one."""
    return take_fields(forms, closed.record(value, forms, where), where)


def take_fields(forms: Mapping[str, Form], source: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Read these fields of a map whose keys were checked."""
    return {name: form.read(source[name], f"{where}.{name}") for name, form in forms.items()}


def show_fields(forms: Mapping[str, Form], carried: Mapping[str, Any]) -> dict[str, Any]:
    """Return what CBOR carries of these fields as JSON values."""
    return {name: form.show(carried[name]) for name, form in forms.items()}


def told_fields(forms: Mapping[str, Form], value: object, where: str) -> dict[str, Any]:
    """Return what CBOR is to carry, from JSON or TOML; an optional field may be left out."""
    left_out = dict.fromkeys(name for name, form in forms.items() if form.optional)
    source = closed.record({**left_out, **closed.mapping(value, where)}, forms, where)
    return {name: form.told(source[name], f"{where}.{name}") for name, form in forms.items()}


# ------------------------------------------------------------------ names for fields

Digest = Annotated[bytes, octets(32)]
KeyId = Annotated[bytes, octets(KID_BYTES)]
Signature = Annotated[bytes, octets(64)]
Address = Annotated[bytes, octets(20)]
Identifier = Annotated[str, IDENTIFIER]
Text = Annotated[str, TEXT]
Amount = Annotated[str, DECIMAL]
Count = Annotated[int, integer()]
Positive = Annotated[int, integer(least=1)]
About = Annotated[Subject, SUBJECT]
PublicKey = Annotated[VerifyKey, PUBLIC_KEY]
