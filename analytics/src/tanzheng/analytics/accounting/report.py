"""The shape of the output document, and both JSON schemas. Stable: a change is a new version."""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema

from tanzheng.analytics.accounting.engine import Document
from tanzheng.analytics.accounting.sectors import SECTORS

DECIMAL = r"^-?\d+(\.\d+)?$"


class Output(BaseModel):
    """Base of the output models: closed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SourceOut(Output):
    """Where a constant comes from; `unverified`, `draft` and `note` only where they apply."""

    document: str
    section: str
    confidence: str
    unverified: Literal[True] | None = None
    draft: Literal[True] | None = None
    note: str | None = None


class NodeOut(Output):
    """A figure; `of` says whose it is, or the name of a constant in its pack."""

    name: str
    value: str = Field(pattern=DECIMAL)
    unit: str
    of: str | None = None
    formula: str | None = None
    inputs: list["NodeOut"] | None = None
    source: SourceOut | None = None


class PackOut(Output):
    """A standard pack: SHA-256 of its file."""

    name: str
    version: str
    status: Literal["in_force", "superseded", "draft", "unverified"]
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class MonthOut(Output):
    """A unit-month: the first figure is the emission."""

    sector: str
    unit: str
    month: str
    standard: str
    figures: list[NodeOut] = Field(min_length=1)


class WarningOut(Output):
    """A value that needs a second look."""

    code: Literal["unverified", "draft", "default"]
    what: str
    en: str
    zh: str


class AccountOut(Output):
    """What `tanzheng account --json` prints."""

    version: Literal[1]
    enterprise: str
    software: str
    packs: list[PackOut]
    months: list[MonthOut]
    totals: list[NodeOut]
    warnings: list[WarningOut]


def schemas() -> dict[str, dict[str, Any]]:
    """The published schemas by file name."""
    return {
        "account-input-1.json": _input_schema(),
        "account-output-1.json": _headed(AccountOut.model_json_schema(), "output"),
    }


def _input_schema() -> dict[str, Any]:
    """The document with the models of all sectors: which one holds, `sector` says."""
    models = [SECTORS[name].model for name in sorted(SECTORS)]
    references, definitions = models_json_schema([(model, "validation") for model in models])
    schema = Document.model_json_schema()
    schema["properties"]["months"]["items"] = {
        "oneOf": [references[model, "validation"] for model in models]
    }
    return _headed(schema | {"$defs": definitions["$defs"]}, "input")


def _headed(schema: dict[str, Any], what: str) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:tanzheng:account-{what}:1",
        **schema,
    }


def write(folder: Path) -> None:
    """Write the published schemas into `folder`."""
    for name, schema in schemas().items():
        text = json.dumps(schema, ensure_ascii=False, indent=2) + "\n"
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(__file__).parents[1] / "schemas")
