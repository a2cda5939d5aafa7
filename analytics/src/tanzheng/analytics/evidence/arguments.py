"""What a person writes on the command line, as what the library takes; `BadInput` for the rest."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from tanzheng.analytics import closing, folder, package
from tanzheng.analytics.accounting.pack import GAS_MONTH, Pack, decimal, load_pack
from tanzheng.analytics.evidence.acts import Who
from tanzheng.analytics.evidence.entries import KIND, instant, word
from tanzheng.analytics.evidence.gate import Evidence, open_package
from tanzheng.analytics.evidence.states import Role
from tanzheng.analytics.rules.ruleset import load_rules
from tanzheng.core.calendar import CHINA, Month
from tanzheng.core.errors import BadInput
from tanzheng.core.ids import Subject
from tanzheng.core.manifest import MANIFEST_PATH, Manifest
from tanzheng.core.plant import Plant


def evidence(path: Path) -> Evidence:
    """The evidence of a package folder, each byte checked and each figure computed once more.

    What `findings.json` says of the deposit is the package's own word until it is computed.
    """
    files = folder.read(path)
    found = open_package(files)
    rules = load_rules(Manifest.decode(files[MANIFEST_PATH]).rules.name)
    package.check(files, package.Standard(load_pack(found.standard), rules))
    return found


def who(role: str, actor: str, at: str | None) -> Who:
    """Who acts; without `at` it is now, by the clock of this machine in China's zone."""
    now = CHINA.datetime(int(datetime.now(UTC).timestamp()) * 1000)
    when = now if at is None else instant(at, "--at")
    if when > now:
        raise BadInput(f"--at: expected a time not after {now.isoformat()}, got {at}")
    return Who(word(role, Role, "--role"), actor, when)


def subject(text: str) -> Subject:
    """`ENTERPRISE/UNIT/YYYY-MM`, with or without `/month`."""
    parts = text.removesuffix(f"/{KIND}").split("/")
    if len(parts) != 3:
        raise BadInput(f"expected a month ENTERPRISE/UNIT/YYYY-MM, got {text!r}")
    return Subject(parts[0], parts[1], str(Month.parse(parts[2])), KIND)


def pack(name: str | None) -> Pack:
    """The standard pack `name`; without it the one by which a gas unit's month is closed."""
    return load_pack(name or GAS_MONTH)


def deadline(of: Subject, standard: str | None = None) -> date:
    """The last day for the evidence of a month, by the pack `standard`."""
    return closing.deadline(Month.parse(of.period), pack(standard))


def plant(path: Path) -> Plant:
    """The plant file at `path`."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BadInput(f"expected a plant file, got {path}: {error.strerror}") from None
    return Plant.parse(raw, str(path))


def how_many(count: int | None, share: str | None) -> int | Decimal:
    """Either a count of months or a share of them."""
    if (count is None) == (share is None):
        raise BadInput("sample: expected one of --count and --share")
    if count is not None:
        return count
    found = decimal(share)
    if found is None:
        raise BadInput(f"--share: expected a decimal number such as 0.05, got {share!r}")
    return found
