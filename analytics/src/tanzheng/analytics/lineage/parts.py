"""Parts of a graph that need no readings: constants, devices, documents, rules, findings."""

from collections.abc import Iterator, Sequence

from tanzheng.analytics.accounting.tree import Node as Figure
from tanzheng.analytics.lineage.graph import Kind, Node
from tanzheng.analytics.lineage.stretches import Stretch
from tanzheng.analytics.result import MonthResult
from tanzheng.analytics.rules.ruleset import RuleResult
from tanzheng.core.fields import field
from tanzheng.core.plant import Certificate, CertificateKind, Device

Edge = tuple[str, str]
Parts = Iterator[Node | Edge]
CERTIFICATES = {
    CertificateKind.VERIFICATION: "检定证书",
    CertificateKind.CALIBRATION: "校准证书",
}


def constant_parts(parameter: str, name: str, shown: tuple[str, str], figure: Figure) -> Parts:
    """A constant of the standard pack, and that `parameter` rests on it."""
    own, source = f"constant:{name}", figure.source
    facts = {} if source is None else {
        "document": source.document, "section": source.section, "confidence": source.confidence,
    }  # fmt: skip
    yield Node(own, Kind.CONSTANT, *shown, f"{figure.value:f}", figure.unit, facts)
    yield parameter, own
    yield own, "document:standard"


def default_parts(name: str, figure: Figure) -> Parts:
    """The constant that stands in for the reported figure `name`."""
    entry = field(name)
    shown = f"default: {entry.en}", f"缺省值：{entry.zh}"
    yield from constant_parts(f"parameter:{name}", figure.of or figure.name, shown, figure)


def device_parts(device: Device, result: MonthResult) -> Parts:
    """A device of the plant file with its certificates."""
    own = f"device:{device.id}"
    yield Node(own, Kind.DEVICE, f"device, serial {device.serial or 'not filed'}",
        f"编号 {device.serial or '未备案'}",
        facts={
            "device": device.id,
            "profile": device.profile,
            "serial": device.serial,
            "gateway": device.gateway,
            "certificates": len(device.certificates),
        })  # fmt: skip
    yield own, "document:plant"
    for each in device.certificates:
        yield from _certificate(own, device.id, each, result)


def _certificate(device: str, device_id: str, each: Certificate, result: MonthResult) -> Parts:
    month = result.month
    covers = each.valid_from <= month.first_day and month.last_day <= each.valid_to
    own, digest = f"certificate:{device_id}/{each.id}", each.document_sha256
    zh = CERTIFICATES[each.kind]
    yield Node(own, Kind.CERTIFICATE, f"{each.kind} certificate {each.id}", f"{zh} {each.id}",
        facts={
            "issuer": each.issuer,
            "valid_from": each.valid_from.isoformat(),
            "valid_to": each.valid_to.isoformat(),
            "covers_month": "yes" if covers else "no",
        })  # fmt: skip
    yield device, own
    yield document(f"{each.kind}/{device_id}/{each.id}", each.id, "filed certificate", zh, digest)
    yield own, f"document:{each.kind}/{device_id}/{each.id}"


def document(name: str, title: str, en: str, zh: str, digest: bytes) -> Node:
    """A document by its SHA-256."""
    facts: dict[str, str | int] = {"title": title, "sha256": digest.hex()}
    return Node(f"document:{name}", Kind.DOCUMENT, en, zh, facts=facts)


def rule_parts(results: Sequence[RuleResult], month: MonthResult) -> Parts:
    """Each rule, from the reported figures that it compared."""
    for each in results:
        own, reported = f"rule:{each.id}", month.values()
        yield Node(own, Kind.RULE, each.en, each.zh, facts={
            "class": each.kind, "severity": each.severity, "outcome": each.outcome,
        })  # fmt: skip
        yield own, "document:rules"
        for name in each.compared:
            if name in reported:
                yield own, f"parameter:{name}"


def finding_parts(result: MonthResult, found: Sequence[Stretch]) -> Parts:
    """The findings about hours of one method, from these hours."""
    for each in result.findings:
        method = each.code.removeprefix("hours_")
        if method != each.code:
            own = f"finding:{each.code}"
            yield Node(own, Kind.FINDING, each.en, each.zh, facts={"severity": each.severity})
            yield from ((own, stretch.id) for stretch in found if stretch.method == method)
