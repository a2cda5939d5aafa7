"""Evidence packages: round trip, determinism, secrets, and what a changed byte leads to."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

import pytest

from analytics.chains import sign_chain
from analytics.plants import END_MS, MONTH, PLANT, PLANT_TOML, START_MS, Run, record
from tanzheng.analytics import folder, package
from tanzheng.analytics.accounting.pack import load_pack
from tanzheng.analytics.closing import Deposit, close, closed_on, deadline
from tanzheng.analytics.errors import EvidenceMismatch, PackageExists
from tanzheng.analytics.month import compute
from tanzheng.analytics.package import Standard
from tanzheng.analytics.rules.ruleset import load_rules
from tanzheng.analytics.series import Series, from_batches
from tanzheng.core import cbor, manifest, parameter_tree
from tanzheng.core.bag import bag_files, check_bag
from tanzheng.core.batch import SignedBatch
from tanzheng.core.calendar import Month
from tanzheng.core.errors import BadInput, EncodingError, SequenceError
from tanzheng.core.manifest import Manifest, PackageFile, PackageInvalid

STANDARD = Standard(load_pack(), load_rules())
SECRET = bytes(range(32))
CHAIN = sign_chain(record([Run(START_MS, END_MS)], interval_ms=60_000), span_ms=24 * 3_600_000)


def build(
    chain: list[SignedBatch] = CHAIN,
    day: date = date(2018, 3, 5),
    change: Callable[[dict[str, Series]], None] = lambda _: None,
) -> dict[str, bytes]:
    recorded = from_batches((signed.batch for signed in chain), PLANT)
    series = dict(recorded.series)
    change(series)
    result = compute(PLANT, "G1", MONTH, series, recorded.gaps, STANDARD.pack, STANDARD.rules)
    closing = close(result, STANDARD.pack, STANDARD.rules, day)
    return package.build(PLANT_TOML, result, closing, STANDARD, {"gw1": chain}, SECRET)


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return build()


def check(files: Mapping[str, bytes]) -> None:
    package.check(files, STANDARD)


def test_the_same_month_makes_the_same_bytes(files: dict[str, bytes]) -> None:
    assert build() == files


def test_the_manifest_names_what_the_month_rests_on(files: dict[str, bytes]) -> None:
    described = check_bag(files)
    assert str(described.subject) == "TEST-1/G1/2018-02/month"
    assert (described.start_ms, described.end_ms) == (START_MS, END_MS)
    assert described.plant_sha256 == PLANT.sha256
    assert described.standard.sha256 == STANDARD.pack.sha256
    assert described.rules.sha256 == STANDARD.rules.sha256
    assert described.values()["co2_calculated_t"] == str(
        package.recompute(files, STANDARD)[0].values()["co2_calculated_t"]
    )
    (chain,) = described.gateways
    assert (chain.first_seq, chain.last_seq, chain.head) == (1, len(CHAIN), CHAIN[-1].digest)
    assert parameter_tree.tree(described).size == 64


def test_the_secret_is_nowhere_inside(files: dict[str, bytes]) -> None:
    assert not [
        path for path, data in files.items() if SECRET in data or SECRET.hex().encode() in data
    ]


def test_the_batches_come_back_in_order(files: dict[str, bytes]) -> None:
    assert [signed.raw for signed in package.batches_of(files, "gw1")] == [s.raw for s in CHAIN]
    check(files)


def test_a_hole_in_the_chain_is_refused() -> None:
    with pytest.raises(SequenceError):
        build([*CHAIN[:3], *CHAIN[4:]])


def test_figures_that_do_not_follow_from_the_batches_are_refused() -> None:
    def raise_energy(series: dict[str, Series]) -> None:
        meter = series["meter/active_energy_export_kwh"]
        value = meter.value.copy()
        value[-1] += 1000
        series["meter/active_energy_export_kwh"] = Series(meter.t_ms, value, meter.quality)

    with pytest.raises(EvidenceMismatch, match=r"generation_mwh = 161280\.000"):
        check(build(change=raise_energy))


def test_hours_that_do_not_follow_from_the_batches_are_refused(files: dict[str, bytes]) -> None:
    hours = files[manifest.HOURS_PATH].replace(b"240.000000", b"240.000001", 1)
    with pytest.raises(EvidenceMismatch, match=r"hours\.json"):
        check(repacked(files, manifest.HOURS_PATH, hours))


def test_findings_that_do_not_follow_are_refused(files: dict[str, bytes]) -> None:
    findings = files[manifest.FINDINGS_PATH].replace(b'"failed"', b'"passed"', 1)
    with pytest.raises(EvidenceMismatch, match=r"findings\.json"):
        check(repacked(files, manifest.FINDINGS_PATH, findings))


def repacked(files: Mapping[str, bytes], path: str, data: bytes) -> dict[str, bytes]:
    """The package with `path` changed and everything above it rebuilt, as its maker could."""
    payload = {name: body for name, body in files.items() if name not in manifest.TAG_PATHS}
    payload[path] = data
    old = Manifest.decode(payload.pop(manifest.MANIFEST_PATH))
    fields = {name: getattr(old, name) for name in old.__slots__}
    fields["files"] = tuple(PackageFile.of(name, payload[name]) for name in sorted(payload))
    payload[manifest.MANIFEST_PATH] = Manifest(**fields).encode()
    return bag_files(payload)


def test_a_package_is_written_whole_with_its_secret_beside_it(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "months" / "2018-02"
    folder.write(out, files, SECRET, check)
    assert folder.read(out) == files
    secret = folder.secret_path(out)
    assert secret.read_text() == SECRET.hex() + "\n"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in out.parent.iterdir()) == ["2018-02", "2018-02.secret"]
    with pytest.raises(PackageExists):
        folder.write(out, files, SECRET, check)


def test_a_package_that_fails_its_check_leaves_nothing(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    def refuse(_: Mapping[str, bytes]) -> None:
        raise EvidenceMismatch("no")

    with pytest.raises(EvidenceMismatch):
        folder.write(tmp_path / "bag", files, SECRET, refuse)
    assert list(tmp_path.iterdir()) == []


def test_a_changed_byte_on_disk_is_found(files: dict[str, bytes], tmp_path: Path) -> None:
    out = tmp_path / "bag"
    folder.write(out, files, SECRET, check)
    target = out / manifest.HOURS_PATH
    target.write_bytes(target.read_bytes().replace(b"100.000000", b"100.000001", 1))
    with pytest.raises(PackageInvalid, match=r"hours\.json"):
        check(folder.read(out))


def test_a_bag_with_a_link_or_without_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="package folder"):
        folder.read(tmp_path / "nowhere")
    (tmp_path / "link").symlink_to("/etc/hostname")
    with pytest.raises(BadInput, match="plain files"):
        folder.read(tmp_path)


@pytest.mark.parametrize(
    ("month", "last_day"),
    [
        ("2018-01", "2018-03-12"),
        ("2020-01", "2020-03-11"),
        ("2018-02", "2018-04-09"),
        ("2018-12", "2019-02-09"),
    ],
)
def test_forty_natural_days(month: str, last_day: str) -> None:
    assert deadline(Month.parse(month), STANDARD.pack) == date.fromisoformat(last_day)


@pytest.mark.parametrize(
    ("day", "deposit"),
    [
        (date(2018, 2, 28), Deposit.BLOCKED),
        (date(2018, 3, 1), Deposit.READY),
        (date(2018, 4, 9), Deposit.READY),
        (date(2018, 4, 10), Deposit.EXPLAIN),
    ],
)
def test_the_day_of_closing_decides(day: date, deposit: Deposit) -> None:
    result, _ = package.recompute(build(), STANDARD)
    assert close(result, STANDARD.pack, STANDARD.rules, day).deposit is deposit


def test_the_day_of_closing_is_in_the_package(files: dict[str, bytes]) -> None:
    assert closed_on(files[manifest.FINDINGS_PATH]) == date(2018, 3, 5)
    for damaged in (b"[]", b"{}", b'{"closed_on":7}', b'{"closed_on":"soon"}'):
        with pytest.raises(EncodingError, match="closed_on"):
            closed_on(damaged)
    for damaged in (b"", b"\xff", b'{"closed_on": "2018-03-05"}', b"[" * 100_000):
        with pytest.raises(EncodingError, match=r"findings\.json: expected"):
            closed_on(damaged)


def test_a_verifier_loads_neither_a_database_driver_nor_a_command_line() -> None:
    program = (
        "import sys, tanzheng.analytics.package;"
        "print(sorted({'psycopg', 'rich', 'typer', 'yaml'} & sys.modules.keys()))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert ran.stdout == b"[]\n"


def test_a_sequence_is_cut_without_rest() -> None:
    items = [cbor.dumps(item) for item in (1, "two", [3, b"4"])]
    assert cbor.split(b"".join(items)) == items
    assert cbor.split(b"") == []
    with pytest.raises(EncodingError, match="at byte 1"):
        cbor.split(items[0] + items[1][:-1])
