"""Payloads of EMQX Neuron: `values` and `tags` formats, told apart by what they hold. Pure.

Source: Neuron documentation, "MQTT, upload data". A tag with an error has no value.
"""

from typing import Any, Final

from tanzheng.edge.drivers.mqtt.codec import PayloadRefused, Sample
from tanzheng.edge.drivers.mqtt.scalar import scalar_of
from tanzheng.edge.drivers.mqtt.timestamps import parse_time

TAG_ERROR: Final = "tag_error"


def neuron_samples(document: Any) -> list[Sample]:
    """A sample for each tag of the message; its time stamp is that of all of them."""
    if not isinstance(document, dict):
        raise PayloadRefused("not_neuron", "expected an object of values or tags, got none")
    values, errors, tags = (document.get(key) for key in ("values", "errors", "tags"))
    if not isinstance(values, dict) and not isinstance(tags, list):
        raise PayloadRefused("not_neuron", "expected values or tags, got neither")
    if document.get("timestamp") is None:
        raise PayloadRefused("no_time", "expected a time stamp, got none")
    t_ms = parse_time(document["timestamp"], "unix_ms", 0)
    samples: dict[str, Sample] = {}
    for name, item in values.items() if isinstance(values, dict) else ():
        samples[name] = _sample(name, t_ms, item)
    for tag in tags if isinstance(tags, list) else ():
        if isinstance(tag, dict) and isinstance(name := tag.get("name"), str):
            samples[name] = _tag_sample(name, t_ms, tag)
    for name, code in errors.items() if isinstance(errors, dict) else ():
        if code != 0:
            samples[name] = Sample(name, t_ms, None, reason=TAG_ERROR)
    return list(samples.values())


def group_of(document: Any) -> tuple[str, str]:
    """(node, group) that the message names, "" for what it does not."""
    if not isinstance(document, dict):
        return "", ""
    return str(document.get("node", ""))[:256], str(document.get("group", ""))[:256]


def _tag_sample(name: str, t_ms: int, tag: dict[str, Any]) -> Sample:
    if tag.get("error", 0) != 0 or "value" not in tag:
        return Sample(name, t_ms, None, reason=TAG_ERROR)
    return _sample(name, t_ms, tag["value"])


def _sample(name: str, t_ms: int, item: Any) -> Sample:
    try:
        value, unit = scalar_of(item)
    except PayloadRefused as error:
        return Sample(name, t_ms, None, reason=error.reason)
    return Sample(name, t_ms, value, unit=unit)
