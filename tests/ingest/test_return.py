"""Real agent, broker, database and service: a fork, a suspension, a signed return, and proof."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
import psycopg
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from edge.stub_plant import INTERVAL_MS, POINTS, START_MS, StubPlant
from edge.world import (
    GATEWAY,
    GATEWAY_KEY,
    PLATFORM_KEY,
    Program,
    gap_slots,
    readings,
    wait_until,
    write_config,
)
from ingest.boxes import Box, wire
from ingest.test_commands import TANZHENG, tanzheng
from tanzheng.core.batch import Batch, open_signed
from tanzheng.core.keys import SigningKey
from tanzheng.core.topics import batch_topic
from tanzheng.core.wire import unpack_kept
from tanzheng.edge.spool.fsck import check_spool
from tanzheng.ingest.broker import Broker
from tanzheng.ingest.enrolment import read_gateways
from tanzheng.ingest.migrate import migrate
from tanzheng.ingest.rebuild import rebuild
from tanzheng.ingest.status import GatewayStatus, read_status

OPERATOR = SigningKey.generate()


@dataclass
class Site:
    """The files of plant and platform in one folder, and the commands on them."""

    folder: Path
    broker: Broker
    url: str

    def __post_init__(self) -> None:
        self.config = write_config(
            self.folder, self.broker.gateway_url(GATEWAY), plant_time_socket="plant-time.sock"
        )
        keys = self.folder / "keys"
        (keys / "gateway.pub.pem").write_bytes(GATEWAY_KEY.public.to_pem())
        (keys / "platform.pem").write_bytes(PLATFORM_KEY.to_pem())
        (keys / "operator.pem").write_bytes(OPERATOR.to_pem())
        (keys / "operator.pub.pem").write_bytes(OPERATOR.public.to_pem())
        self.gateways = self.folder / "gateways.toml"
        self.gateways.write_text(
            'version = 1\nenrolment_key = "keys/operator.pub.pem"\n[[gateway]]\n'
            f'id = "{GATEWAY}"\nplant = "plant.toml"\npublic_key = "keys/gateway.pub.pem"\n'
        )

    @contextmanager
    def ingest(self) -> Iterator[None]:
        environment = {
            **os.environ,
            "TANZHENG_DATABASE_URL": self.url,
            "TANZHENG_BROKER": self.broker.platform_url,
        }
        command = [TANZHENG, "ingest", "run", "--gateways", str(self.gateways)]
        command += ["--key", str(self.folder / "keys/platform.pem")]
        with (self.folder / "ingest.log").open("ab") as log:
            process = subprocess.Popen(command, env=environment, stderr=log)
        try:
            yield
        finally:
            process.kill()
            process.wait()

    def agent(self) -> Program:
        return Program(self.folder / "agent.log", "edge", "run", str(self.config))

    def command(self, *words: str, code: int = 0) -> str:
        done = tanzheng(*words, "--gateways", str(self.gateways), url=self.url)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def re_enrol(self, document: Path) -> subprocess.CompletedProcess[str]:
        key = str(self.folder / "keys/operator.pub.pem")
        words = [TANZHENG, "edge", "re-enrol", str(self.config), str(document)]
        return subprocess.run(
            [*words, "--enrolment-key", key], capture_output=True, text=True, check=False
        )

    def status(self) -> GatewayStatus:
        (found,) = read_status(self.url, GATEWAY, START_MS, 1).gateways
        return found

    def stored(self, epoch: int) -> int:
        with psycopg.connect(self.url) as connection:
            row = connection.execute(
                "SELECT count(*) FROM batch WHERE epoch = %s", (epoch,)
            ).fetchone()
        assert row is not None
        return int(row[0])

    def batches(self) -> list[Batch]:
        with psycopg.connect(self.url) as connection:
            found = connection.execute("SELECT raw FROM batch ORDER BY epoch, seq").fetchall()
        return [open_signed(unpack_kept(bytes(raw))).batch for (raw,) in found]

    def publish(self, box: Box) -> None:
        """Somebody with the gateway's login and key sends a batch."""
        url = urlsplit(self.broker.gateway_url(GATEWAY))
        thief = mqtt.Client(CallbackAPIVersion.VERSION2, "thief")
        thief.username_pw_set(url.username or "", url.password)
        thief.connect(self.broker.host, self.broker.port)
        thief.loop_start()
        thief.publish(batch_topic(GATEWAY), wire(box.next()), qos=1).wait_for_publish(10)
        thief.disconnect()
        thief.loop_stop()


@pytest.mark.parametrize("new_key", [True, False], ids=["new key", "same key"])
def test_a_fork_and_the_way_back(
    tmp_path: Path, broker: Broker, database_url: str, new_key: bool
) -> None:
    migrate(database_url)
    with StubPlant(tmp_path, 250, pause_s=0.02) as plant:
        site = Site(tmp_path, broker, database_url)
        with site.ingest(), site.agent() as agent:
            wait_until(lambda: site.stored(1) >= 2, "two batches")
            site.publish(Box(GATEWAY, GATEWAY_KEY, POINTS, t_ms=START_MS))
            wait_until(lambda: site.status().state == "suspended", "the suspension")
            document = tmp_path / "return.enrolment"
            taken = len(plant.taken)
            wait_until(lambda: len(plant.taken) > taken + 20, "slots that nobody acknowledges")
            assert agent.stop() == 0
            frozen = site.stored(1)

            key = SigningKey.generate() if new_key else GATEWAY_KEY
            (tmp_path / "keys/new.pub.pem").write_bytes(key.public.to_pem())
            words = [
                "--key",
                str(tmp_path / "keys/operator.pem"),
                "--reason",
                "key stolen 密钥被盗",
            ]
            words += ["--by", "Han Meimei", "--out", str(document), "--gw", GATEWAY]
            if new_key:
                words += ["--public-key", str(tmp_path / "keys/new.pub.pem")]
            site.command("enrol", "make", *words)
            if new_key:
                refused = site.re_enrol(document)
                assert refused.returncode == 2  # the agent still has the old key
                assert "expected a re-enrolment with our key" in refused.stderr
                (tmp_path / "keys/gateway.pem").write_bytes(key.to_pem())
            site.command("enrol", "take", str(document))
            done = site.re_enrol(document)
            assert done.returncode == 0, done.stderr
            assert "opens epoch 2" in done.stdout
            with site.agent() as again:
                wait_until(lambda: site.stored(2) >= 2, "batches of the new epoch")
                assert again.wait(60) == 0
            # The thief's key signs nothing more, and its history is closed.
            site.publish(Box(GATEWAY, GATEWAY_KEY, POINTS, epoch=3, t_ms=START_MS))
            reason = "signature_invalid" if new_key else "chain_broken"
            wait_until(lambda: reason in site.status().quarantine, "the refusal")
        found = site.status()
        assert (found.state, found.head_epoch, found.opens_epoch) == ("active", 2, 2)
        assert found.newest_ms == plant.end_ms
        assert site.stored(1) == frozen
        every = set(range(START_MS, plant.end_ms + 1, INTERVAL_MS))
    assert "equal the" in site.command("audit")
    assert rebuild(database_url, read_gateways(site.gateways)).pieces_rebuilt == 0
    # A reading or a gap: also of what was read while nobody acknowledged.
    batches = site.batches()
    kept = {(point, t_ms - (t_ms - START_MS) % INTERVAL_MS) for point, t_ms, _ in readings(batches)}
    gaps = gap_slots(batches)
    assert kept | {gap[:2] for gap in gaps} >= {(point, t_ms) for point in POINTS for t_ms in every}
    assert "not_acknowledged" in {reason for *_, reason in gaps}
    contents = check_spool(tmp_path / "spool", key.public)
    assert (contents.batches, contents.orphans > 0) == ((), True)


def test_a_running_agent_keeps_its_spool(tmp_path: Path, broker: Broker, database_url: str) -> None:
    migrate(database_url)
    with StubPlant(tmp_path, 4000, pause_s=0.02):
        site = Site(tmp_path, broker, database_url)
        with site.ingest(), site.agent():
            wait_until(lambda: site.stored(1) >= 1, "a batch")
            wait_until(lambda: site.status().head_seq, "a head")
            document = tmp_path / "return.enrolment"
            words = ["--key", str(tmp_path / "keys/operator.pem"), "--reason", "test", "--by", "x"]
            site.command("enrol", "make", *words, "--out", str(document), "--gw", GATEWAY)
            refused = site.re_enrol(document)
            assert refused.returncode == 1
            assert "Traceback" not in refused.stderr
