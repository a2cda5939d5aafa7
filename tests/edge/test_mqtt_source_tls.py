"""TLS to a plant's broker: its authority is checked, and our certificate is shown where asked."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.mqtt_world import TIMED, Plant, message, now_ms, until
from edge.plant_broker import PlantBroker
from ingest.certificates import Authority
from parts import missing
from tanzheng.edge.drivers.mqtt.driver import MqttLine
from tanzheng.hardware.mqtt.simulator import Publisher
from tanzheng.ingest.broker import find_mosquitto, free_port

FILES = {"ca": "authority.pem", "cert": "gateway.authority.pem", "key": "gateway.authority.key"}
TLS = """\
cafile {folder}/authority.pem
certfile {folder}/broker.authority.pem
keyfile {folder}/broker.authority.key
require_certificate true
listener {plain} 127.0.0.1
"""


@pytest.fixture
def tls_broker(tmp_path: Path) -> Iterator[tuple[PlantBroker, int]]:
    """A broker with TLS at its port, and a plain door for meters: (broker, that door's port)."""
    if find_mosquitto() is None:
        missing("mosquitto")
    authority = Authority(tmp_path)
    authority.issue("broker")
    authority.issue("gateway")
    Authority(tmp_path, "stranger")
    plain = free_port()
    broker = PlantBroker(tmp_path, TLS.format(folder=tmp_path, plain=plain))
    broker.start()
    yield broker, plain
    broker.stop()


def line_of(plant: Plant, broker: PlantBroker, folder: Path, **changes: str) -> MqttLine:
    files = {**FILES, **changes}
    paths = {name: str(folder / file) for name, file in files.items() if file}
    url = broker.url.replace("mqtt://", "mqtts://")
    return plant.line(url, {**TIMED, "topic": "m/#", **paths})


async def test_many_messages_in_one_record(
    tls_broker: tuple[PlantBroker, int], tmp_path: Path
) -> None:
    """TLS may hold back messages that make no socket readable."""
    (broker, plain), plant, t_ms = tls_broker, Plant(), now_ms() - 5000
    async with plant.running(line_of(plant, broker, tmp_path)):
        meter = Publisher(f"mqtt://127.0.0.1:{plain}", "meter")
        for n in range(2000):
            meter.publish_soon(f"m/{n % 3}", message(t_ms + n, P=n))
        await until(lambda: len(plant.values) == 2000, "all of them")
        meter.leave()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"ca": "stranger.pem"}, "certificate verify failed"),
        ({"cert": "", "key": ""}, "the connection ended"),
        ({"ca": "nowhere.pem"}, "No such file"),
    ],
)
async def test_who_does_not_fit_is_told_so(
    tls_broker: tuple[PlantBroker, int], tmp_path: Path, changes: dict[str, str], what: str
) -> None:
    """paho leaves the socket of a failed handshake to the collector, which warns."""
    plant = Plant()
    line = line_of(plant, tls_broker[0], tmp_path, **changes)
    with pytest.raises(AssertionError, match="a connection"):
        async with plant.running(line, 1):
            pass
    assert what in line.status()["last_error"]
