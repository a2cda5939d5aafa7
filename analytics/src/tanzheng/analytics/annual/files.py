"""Evidence, acceptances, statements and packets on disk."""

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tanzheng.analytics import folder
from tanzheng.analytics.annual import packet, record
from tanzheng.analytics.annual.accounts import read_accounts
from tanzheng.analytics.annual.disclosure import statements
from tanzheng.analytics.annual.months import Acceptance, Evidence
from tanzheng.analytics.annual.packages import read_package
from tanzheng.analytics.annual.typeface import Typeface, given, shipped
from tanzheng.analytics.errors import PackageExists
from tanzheng.core import strict_json
from tanzheng.core.errors import BadInput

FILE_BYTES_MAX = 64 << 20


@dataclass(frozen=True, slots=True)
class AcceptanceList:
    """The file that says which months were accepted."""

    version: int
    months: tuple[Acceptance, ...]


def read_evidence(paths: Iterable[Path]) -> list[Evidence]:
    """Folders are evidence packages, files are results of `tanzheng account --json`."""
    found = list[Evidence]()
    for path in paths:
        if path.is_dir():
            found.append(read_package(folder.read(path), str(path)))
        else:
            found += read_accounts(read_file(path, "an evidence package or results"), str(path))
    return found


def read_acceptances(path: Path | None) -> tuple[Acceptance, ...]:
    """The acceptances in a JSON file; none without a file."""
    if path is None:
        return ()
    value = strict_json.loads(read_file(path, "a list of accepted months"), str(path))
    accepted: AcceptanceList = record.from_json(AcceptanceList, value, str(path))
    if accepted.version != 1:
        raise BadInput(f"{path}: version: expected 1, got {accepted.version}")
    return accepted.months


def read_statements(path: Path | None) -> dict[str, str]:
    """The enterprise's statements for the disclosure table; none without a file."""
    return {} if path is None else statements(read_file(path, "a disclosure file"), str(path))


def read_typeface(path: Path | None) -> Typeface:
    """The typeface of the PDF: the one that ships, or a TrueType file."""
    return shipped() if path is None else given(read_file(path, "a TrueType file"), str(path))


def read_packet(path: Path) -> dict[str, bytes]:
    """The files of a packet: a folder, or a ZIP archive."""
    if path.is_dir():
        return folder.read(path)
    return packet.unzipped(read_file(path, "a packet"), str(path))


def read_file(path: Path, what: str) -> bytes:
    """A file of bounded size; `BadInput` says `what` was expected."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise BadInput(f"expected {what}, got {path}: {error.strerror}") from None
    if len(data) > FILE_BYTES_MAX:
        raise BadInput(f"{path}: expected at most {FILE_BYTES_MAX} bytes, got more")
    return data


def write_packet(path: Path, files: Mapping[str, bytes]) -> None:
    """Write a packet as a folder, or as an archive where `path` ends in `.zip`; all or nothing."""
    if path.suffix == ".zip":
        write_file(path, packet.zipped(files, path.stem))
        return
    _free(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.mkdir(parents=True)
        for name, data in files.items():
            (partial / name).write_bytes(data)
        partial.rename(path)
    except OSError as error:
        raise BadInput(f"{path}: expected a place to write to, got {error.strerror}") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)  # gone already where it was renamed


def write_file(path: Path, data: bytes) -> None:
    """Write a new file; nothing is overwritten, nothing left half written."""
    _free(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(data)
        partial.rename(path)
    except OSError as error:
        raise BadInput(f"{path}: expected a place to write to, got {error.strerror}") from None
    finally:
        partial.unlink(missing_ok=True)


def _free(path: Path) -> None:
    if path.exists():
        raise PackageExists(f"expected a free place to write to, got {path}, which exists")
