"""The verifier as one HTML file: it opens from disk, asks nothing of the network, and answers
a receipt with the same points as `tanzheng verify`.

The modules under `js/` are joined in the order of their imports, each in a scope of its own. The
file's policy (CSP) allows that one script and that one style by their hashes, and nothing else.
"""

import base64
import hashlib
import json
import re
from functools import cache
from importlib.resources import files

from tanzheng.core.fields import FIELDS
from tanzheng.core.points import LABELS
from tanzheng.core.statements.kinds import LABELS as KINDS

ENTRY = "app"
_IMPORT = re.compile(r'^import (\{[^}]*\}|\* as \w+) from "\./(\w+)\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) (\w+))", re.MULTILINE)


def assemble() -> bytes:
    """Return the page: the same bytes each time."""
    script, style = bundle(ENTRY), _text("page.css")
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    parts = {"policy": policy, "style": style, "script": script}
    page = re.sub(r"\{\{(\w+)\}\}", lambda name: parts[name[1]], _text("page.html"))
    return page.encode()


def bundle(entry: str) -> str:
    """Return the script of module `entry` with all that it imports, each module once."""
    order: list[str] = []
    _visit(entry, order)
    return '"use strict";\n' + "".join(_scoped(name) for name in order)


def _visit(name: str, order: list[str]) -> None:
    """Put what `name` imports before it."""
    for _, wanted in _IMPORT.findall(_source(name)):
        if wanted not in order:
            _visit(wanted, order)
    order.append(name)


def _scoped(name: str) -> str:
    """Return a module as a function that is called at once; its exports become one object."""
    source = _source(name)
    exports = ", ".join(_EXPORT.findall(source))
    body = _EXPORT.sub("", _IMPORT.sub(_taken, source))
    return f"const {_variable(name)} = (() => {{\n{body}return {{ {exports} }};\n}})();\n"


def _taken(found: re.Match[str]) -> str:
    wanted, name = found[1], _variable(found[2])
    if wanted.startswith("*"):
        return f"const {wanted.removeprefix('* as ')} = {name};\n"
    return f"const {re.sub(' as ', ': ', wanted)} = {name};\n"


def _variable(name: str) -> str:
    return f"module_{name}"


@cache
def _source(name: str) -> str:
    return _data() if name == "data" else _text(f"js/{name}.js")


def _data() -> str:
    """What the page takes from the packages, so that it is told once."""
    units = {name: item.unit for name, item in FIELDS.items()}
    told = {"LABELS": LABELS, "UNITS": units, "KINDS": KINDS}
    return "".join(
        f"export const {name} = {json.dumps(value, ensure_ascii=False)};\n"
        for name, value in told.items()
    )


def _text(path: str) -> str:
    return files(__name__).joinpath(path).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
