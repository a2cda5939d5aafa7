"""Each key of a settings file is found on its line, whatever TOML or JSON it is written in."""

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanzheng.edge.configuration.locate import Key, json_lines, line_of, toml_lines

SAMPLE = '''\
version = 1   # one
site.name = "a = [ { \\" # not a comment"
site.'odd "key"'.x = 2
text = """
fake = 3
[fake]
"""
list = [
  1,  # one
  [2, 3],
  {a = 1, b.c = {d = 5}},
]

[table]
when = 1979-05-27 07:32:00Z
[table.deep]
k = \'\'\'x = 1
y\'\'\'
z = true
[[device]]
id = "a"
[device.more]
n = 1
[[device.point]]
field = "p"
[[device.point]]
field = "q"
[[device]]
id = "b"
"b b" = {c = [ ], d = "]"}
'''


def test_each_key_of_a_toml_file_has_its_line() -> None:
    tomllib.loads(SAMPLE)
    lines = toml_lines(SAMPLE)
    expected: dict[Key, int] = {
        ("version",): 1,
        ("site", "name"): 2,
        ("site", 'odd "key"', "x"): 3,
        ("text",): 4,
        ("list", 0): 9,
        ("list", 1, 1): 10,
        ("list", 2, "b", "c", "d"): 11,
        ("table",): 14,
        ("table", "deep"): 16,
        ("table", "deep", "z"): 19,
        ("device",): 20,
        ("device", 0, "id"): 21,
        ("device", 0, "more", "n"): 23,
        ("device", 0, "point", 1): 26,
        ("device", 0, "point", 1, "field"): 27,
        ("device", 1): 28,
        ("device", 1, "b b", "d"): 30,
    }
    assert {key: lines.get(key) for key in expected} == expected
    assert ("fake",) not in lines
    assert line_of(lines, ("device", 1, "nothing", 7)) == 28
    assert line_of(lines, ("nothing",)) == 1


def test_each_key_of_a_json_file_has_its_line() -> None:
    text = '{"a": {"host": "x, \\"}",\n "port": 1},\n "b": [1,\n {"c\\u0041": null}]}'
    assert json_lines(text) == {
        ("a",): 1, ("a", "host"): 1, ("a", "port"): 2,
        ("b",): 3, ("b", 0): 3, ("b", 1): 4, ("b", 1, "cA"): 4,
    }  # fmt: skip


def paths(value: Any, key: Key = ()) -> "set[Key]":
    """The path of everything in a parsed document."""
    items: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    return {key} | {path for name, item in items for path in paths(item, (*key, name))}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.sampled_from([None, 1]))
def test_json_of_any_shape_is_walked_to_its_end(value: Any, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    assert set(json_lines(text)) == paths(value) - {()}


PIECES = [
    "a", "b.c", '"q q"', "'l'", " = ", "1", '"s"', "'''m\n'''", '"""x"""', "{a = 1, b = 2}", "[",
    "]", "{", "}", "[t]", "[[u]]", "[u.v]", "[[u.w]]", "\n", "\n", ",", "# c = 1\n", "true", "=",
    "a = [1, 2]\n", "d.e = 5\n", "[[u]]\nk = {x.y = [{}]}\n",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_whatever_toml_takes_is_walked_to_its_end(text: str) -> None:
    try:
        body = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        toml_lines(text)  # and what it does not take raises nothing
        return
    lines = toml_lines(text)
    assert paths(body) - {()} <= set(lines)
    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())


@given(st.text())
def test_any_text_is_survived(text: str) -> None:
    toml_lines(text)
    json_lines(text)


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, "{" * 5000, '{"a":' * 5000])
def test_depth_is_survived(text: str) -> None:
    toml_lines(text)
    json_lines(text)
