"""The part of a month's graph that lies in the plant's books: figures, records, certificates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanzheng.analytics.lineage.graph import Kind, Node
from tanzheng.analytics.lineage.parts import (
    CERTIFICATES,
    Parts,
    constant_parts,
    default_parts,
    document,
)
from tanzheng.core.hashing import sha256
from tanzheng.core.plant import CertificateKind

if TYPE_CHECKING:
    from tanzheng.analytics.accounting.pack import Pack
    from tanzheng.analytics.coal_month import Filed
    from tanzheng.analytics.parameters.records import Certificate
    from tanzheng.analytics.parameters.selection import MonthlyParameter, Reference
    from tanzheng.analytics.result import MonthResult

PLAN, RECORDS = "plan.toml", "records.toml"
CARBON = "coal_carbon_tc_per_t"
DEFAULTS = {
    "coal_ncv_gj_per_t": "coal_default.ncv_gj_per_t",
    CARBON: "coal_default.carbon_tc_per_gj",
}
STANDARD_COAL = "standard_coal.gj_per_tce"


def filed_parts(result: MonthResult, filed: Filed, pack: Pack) -> Parts:
    """What the figures of the filed plan rest on; those by signed readings rest on these as well.

    Every figure leads to the plan, one by the books to its rows or record, one by default to the
    constant.
    """
    for name in (PLAN, RECORDS):
        yield _file(name, sha256(filed.files[name]))
    for item in filed.month.parameters:
        if item.value is None:
            continue
        own = f"parameter:{item.name}"
        yield own, f"document:books/{PLAN}"
        if item.source == "default":
            yield from _default(item.name, result, pack)
        if not filed.by_meter(item.name):
            for each in item.references:
                yield from _record(own, each, filed)
                if item.name == CARBON:
                    yield from _reports(each, filed)
        for certificate in _certificates(item, filed):
            yield from _certificate(own, certificate, result, filed)
    if "coal_equivalent_tce" in result.values():
        shown = "heat of a tonne of standard coal", "标准煤热值"
        own = "parameter:coal_equivalent_tce"
        yield from constant_parts(own, STANDARD_COAL, shown, pack.constant(STANDARD_COAL))


def _default(name: str, result: MonthResult, pack: Pack) -> Parts:
    """The constant in place of a measured figure; carbon by default goes by the heating value."""
    yield from default_parts(name, pack.constant(DEFAULTS[name], result.month))
    if name == CARBON:
        yield f"parameter:{name}", "parameter:coal_ncv_gj_per_t"


def _record(parameter: str, reference: Reference, filed: Filed) -> Parts:
    """Rows of a book, or an entry of the records with its scan."""
    own = _record_id(reference)
    yield Node(own, Kind.RECORD, reference.file, reference.place)
    yield parameter, own
    yield from _attached(own, reference.file, filed)
    if reference.file not in filed.files:
        yield own, f"document:books/{RECORDS}"


def _reports(reference: Reference, filed: Filed) -> Parts:
    """The scans of the laboratory's reports that a book names."""
    scans = {
        line.text("file") for line in filed.data.lines("lab") if line.grid.book == reference.file
    }
    for scan in sorted(scans & filed.data.attachments.keys()):
        yield from _attached(_record_id(reference), scan, filed)


def _record_id(reference: Reference) -> str:
    return f"record:{reference.file}#{reference.place}"


def _certificates(item: MonthlyParameter, filed: Filed) -> list[Certificate]:
    meter = filed.month.version.meters.get(item.name)
    return [each for each in filed.data.records.certificates if each.meter == meter]


def _certificate(parameter: str, each: Certificate, result: MonthResult, filed: Filed) -> Parts:
    month, own = result.month, f"certificate:books/{each.meter}/{each.id}"
    covers = each.valid_from <= month.first_day and month.last_day <= each.valid_to
    zh = CERTIFICATES[CertificateKind(each.kind)]
    yield Node(own, Kind.CERTIFICATE, f"{each.kind} certificate {each.id}", f"{zh} {each.id}",
        facts={
            "issuer": "as in the scan",
            "meter": each.meter,
            "accuracy_class": each.accuracy_class,
            "valid_from": each.valid_from.isoformat(),
            "valid_to": each.valid_to.isoformat(),
            "covers_month": "yes" if covers else "no",
        })  # fmt: skip
    yield parameter, own
    yield from _attached(own, each.attachment, filed)


def _attached(derived: str, file: str, filed: Filed) -> Parts:
    yield _file(file, bytes.fromhex(filed.data.attachments[file]))
    yield derived, f"document:books/{file}"


def _file(name: str, digest: bytes) -> Node:
    return document(f"books/{name}", name, "file of the month's books", "当月填报文件", digest)
