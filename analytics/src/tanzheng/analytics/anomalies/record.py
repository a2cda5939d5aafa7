"""An alert as a closed record of text: numbers are decimal text, so that a record can be bound."""

from collections.abc import Mapping
from typing import Any

from tanzheng.analytics.anomalies.alert import Alert, Evidence, Rival, Twin
from tanzheng.core import closed

LISTED_MAX = 10_000
TEXTS = (
    "id", "enterprise", "unit", "division", "blames", "input", "course", "en", "zh", "check_en",
    "check_zh",
)  # fmt: skip
KEYS = (
    *TEXTS, "months", "score", "limit", "effect_percent", "effect_t", "marks", "evidence", "rivals",
)  # fmt: skip
EVIDENCE_KEYS = ("month", "en", "zh", "off_percent", "spread_percent", "twin")
RIVAL_KEYS = ("input", "en", "zh", "score")
TWIN_KEYS = ("enterprise", "division", "label")


def encode(alert: Alert) -> dict[str, Any]:
    """The record of an alert."""
    return {
        **{name: getattr(alert, name) for name in TEXTS},
        "months": list(alert.months),
        "score": _text(alert.score),
        "limit": _text(alert.limit),
        "effect_percent": _text(alert.effect_percent),
        "effect_t": _text(alert.effect_t),
        "marks": list(alert.marks),
        "evidence": [_evidence(item) for item in alert.evidence],
        "rivals": [
            {"input": item.input, "en": item.en, "zh": item.zh, "score": _text(item.score)}
            for item in alert.rivals
        ],
    }


def decode(value: object, where: str) -> Alert:
    """The alert of a record; `EncodingError` names what has the wrong form."""
    source = closed.record(value, KEYS, where)
    plain: dict[str, Any] = {name: closed.text(source, name, where) for name in TEXTS}
    for name in ("score", "limit", "effect_percent"):
        plain[name] = _number(source[name], f"{where}.{name}")
    effect_t = source["effect_t"]
    return Alert(
        **plain,
        months=_words(source, "months", where),
        effect_t=None if effect_t is None else _number(effect_t, f"{where}.effect_t"),
        marks=_words(source, "marks", where),
        evidence=tuple(
            _read_evidence(item, f"{where}.evidence[{n}]")
            for n, item in enumerate(closed.items(source, "evidence", where, LISTED_MAX))
        ),
        rivals=tuple(
            _read_rival(item, f"{where}.rivals[{n}]")
            for n, item in enumerate(closed.items(source, "rivals", where, LISTED_MAX))
        ),
    )


def _text(number: float | None) -> str | None:
    if number is None:
        return None
    text = f"{number:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _number(value: object, where: str) -> float:
    return float(closed.decimal(value, where))


def _words(source: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    listed = closed.items(source, key, where, LISTED_MAX)
    return tuple(closed.text({key: item}, key, where) for item in listed)


def _evidence(item: Evidence) -> dict[str, Any]:
    twin = item.twin
    return {
        "month": item.month,
        "en": item.en,
        "zh": item.zh,
        "off_percent": _text(item.off_percent),
        "spread_percent": _text(item.spread_percent),
        "twin": twin and {name: getattr(twin, name) for name in TWIN_KEYS},
    }


def _read_evidence(value: object, where: str) -> Evidence:
    source = closed.record(value, EVIDENCE_KEYS, where)
    off, spread = (
        None if source[name] is None else _number(source[name], f"{where}.{name}")
        for name in ("off_percent", "spread_percent")
    )
    twin = None
    if source["twin"] is not None:
        inner = closed.record(source["twin"], TWIN_KEYS, f"{where}.twin")
        twin = Twin(*(closed.text(inner, name, f"{where}.twin") for name in TWIN_KEYS))
    month, en, zh = (closed.text(source, name, where) for name in ("month", "en", "zh"))
    return Evidence(month, en, zh, off, spread, twin)


def _read_rival(value: object, where: str) -> Rival:
    source = closed.record(value, RIVAL_KEYS, where)
    name, en, zh = (closed.text(source, key, where) for key in ("input", "en", "zh"))
    return Rival(name, en, zh, _number(source["score"], f"{where}.score"))
