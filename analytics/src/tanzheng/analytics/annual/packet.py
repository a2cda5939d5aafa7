"""The packet for the ministry: report in every form, the list of months, a manifest over all.

    report.json                        the report, canonical JSON (RFC 8785)
    report.xlsx  report-zh.pdf  report-en.pdf   made from report.json alone
    months.json                        each month's evidence: digest, version, deposit day, state
    manifest.json                      every file with its digests, and what made them
    manifest-sha256.txt                the same digests for `sha256sum -c`

Pure: a packet is a mapping of name → bytes. Equal reports give equal bytes.
"""

import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version

from tanzheng.analytics.annual import record
from tanzheng.analytics.annual.report import Report, decode
from tanzheng.analytics.annual.typeface import Typeface, shipped
from tanzheng.analytics.annual.words import LANGUAGES
from tanzheng.analytics.annual.xlsx import EPOCH, xlsx
from tanzheng.core import canonical_json
from tanzheng.core.calendar import Month
from tanzheng.core.errors import BadInput, CheckFailed
from tanzheng.core.hashing import sha256, sm3

REPORT, MONTHS, XLSX = "report.json", "months.json", "report.xlsx"
MANIFEST, SUMS = "manifest.json", "manifest-sha256.txt"
PDFS = {language: f"report-{language}.pdf" for language in LANGUAGES}
NAMES = (MANIFEST, SUMS, MONTHS, *PDFS.values(), REPORT, XLSX)
BYTES_MAX = 256 << 20
VERSION = 1


class PacketInvalid(CheckFailed):
    """A packet's files are not what its manifest and its report say."""


@dataclass(frozen=True, slots=True)
class MonthEvidence:
    """A line of `months.json`; what the journal did not say is None."""

    unit: str
    month: Month
    kind: str
    manifest_sha256: bytes
    plant_sha256: bytes | None
    standard: str
    version: int | None
    state: str | None
    deposited_on: date | None


@dataclass(frozen=True, slots=True)
class MonthList:
    """`months.json`."""

    version: int
    months: tuple[MonthEvidence, ...]


@dataclass(frozen=True, slots=True)
class PacketFile:
    """A file of the packet: size in bytes, both digests."""

    name: str
    size: int
    sha256: bytes
    sm3: bytes


@dataclass(frozen=True, slots=True)
class Maker:
    """What the XLSX and the PDFs were made with: others may give other bytes."""

    openpyxl: str
    reportlab: str
    zlib: str
    typeface_sha256: bytes


@dataclass(frozen=True, slots=True)
class PacketManifest:
    """`manifest.json`."""

    version: int
    enterprise: str
    year: int
    draft: bool
    maker: Maker
    files: tuple[PacketFile, ...]


def packet(report: Report, face: Typeface | None = None) -> dict[str, bytes]:
    """The files of the packet by name."""
    face = face or shipped()
    from tanzheng.analytics.annual.pdf import pdf  # the typeface says what to install for it

    files = {
        REPORT: report.encode(),
        MONTHS: months_json(report),
        XLSX: xlsx(report),
        **{PDFS[language]: pdf(report, language, face) for language in LANGUAGES},
    }
    described = PacketManifest(
        VERSION,
        report.enterprise,
        report.year,
        report.is_draft,
        maker(face),
        tuple(
            PacketFile(name, len(files[name]), sha256(files[name]), sm3(files[name]))
            for name in sorted(files)
        ),
    )
    files[MANIFEST] = canonical_json.dumps(record.to_json(described))
    files[SUMS] = _sums(files)
    return dict(sorted(files.items()))


def maker(face: Typeface) -> Maker:
    """The libraries of this installation."""
    return Maker(version("openpyxl"), version("reportlab"), zlib.ZLIB_RUNTIME_VERSION, face.sha256)


def months_json(report: Report) -> bytes:
    """The list of the months' evidence."""
    lines = []
    for unit in report.units:
        for item in unit.months:
            told = item.acceptance
            lines.append(
                MonthEvidence(
                    unit.unit,
                    item.month,
                    item.origin.kind,
                    item.origin.sha256,
                    item.origin.plant_sha256,
                    item.pack.name,
                    told.version if told else None,
                    told.state if told else None,
                    told.deposited_on if told else None,
                )
            )
    return canonical_json.dumps(record.to_json(MonthList(VERSION, tuple(lines))))


def _sums(files: Mapping[str, bytes]) -> bytes:
    return "".join(f"{sha256(files[name]).hex()}  {name}\n" for name in sorted(files)).encode()


# ------------------------------------------------------------------ checking


@dataclass(frozen=True, slots=True)
class Checked:
    """A packet that holds; `made_again` is False where other libraries had made its files."""

    report: Report
    made_again: bool


def check(files: Mapping[str, bytes]) -> Checked:
    """Check digests, sums, and that every file follows from `report.json`.

    Raises `PacketInvalid`, `SumsWrong`, `EncodingError`. XLSX and PDF are made again and compared
    byte for byte where the libraries and the typeface are those the manifest names.
    """
    for name in sorted(set(NAMES) ^ set(files)):
        what = "a packet without other files" if name in files else f"the file {name}"
        raise PacketInvalid(f"packet: expected {what}, got {name if name in files else 'none'}")
    described: PacketManifest = record.from_json(
        PacketManifest, canonical_json.loads(files[MANIFEST], MANIFEST), MANIFEST
    )
    for name in _changed(files, described):
        raise PacketInvalid(f"packet: expected {name} as its manifest names it, got changed bytes")
    report = decode(files[REPORT], REPORT)
    head = (described.enterprise, described.year, described.draft)
    if head != (report.enterprise, report.year, report.is_draft):
        raise PacketInvalid(f"packet: expected a manifest of this report, got one of {head}")
    if files[MONTHS] != months_json(report):
        raise PacketInvalid(f"packet: expected the {MONTHS} that follows from {REPORT}")
    face = shipped()
    if described.maker != maker(face):
        return Checked(report, made_again=False)
    again = packet(report, face)
    for name in (XLSX, *PDFS.values(), MANIFEST, SUMS):
        if files[name] != again[name]:
            raise PacketInvalid(f"packet: expected the {name} that follows from {REPORT}")
    return Checked(report, made_again=True)


def _changed(files: Mapping[str, bytes], described: PacketManifest) -> Iterator[str]:
    named = {file.name: file for file in described.files}
    for name in sorted(set(NAMES) - {MANIFEST, SUMS}):
        data = files[name]
        if named.get(name) != PacketFile(name, len(data), sha256(data), sm3(data)):
            yield name
    if files[SUMS] != _sums({name: data for name, data in files.items() if name != SUMS}):
        yield SUMS


# ------------------------------------------------------------------ as an archive


def zipped(files: Mapping[str, bytes], folder: str) -> bytes:
    """The packet as a ZIP archive with one folder in it; stored, for packers differ."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(f"{folder}/{name}", EPOCH), files[name])
    return out.getvalue()


def unzipped(data: bytes, where: str) -> dict[str, bytes]:
    """The files of such an archive; `BadInput` where it is none, or too large."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = archive.infolist()
            if len(parts) > 2 * len(NAMES) or sum(part.file_size for part in parts) > BYTES_MAX:
                raise BadInput(f"{where}: expected a packet of at most {BYTES_MAX} bytes")
            found = {part.filename.rpartition("/")[2]: archive.read(part) for part in parts}
            if len(found) != len(parts):
                raise BadInput(f"{where}: expected each file of the packet once")
            return found
    except (zipfile.BadZipFile, OSError, RuntimeError, ValueError, EOFError, zlib.error) as error:
        raise BadInput(f"{where}: expected a ZIP archive, got {error}") from None
