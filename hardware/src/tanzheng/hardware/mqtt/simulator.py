"""A meter that publishes its power and energy in one of the usual formats.

    python -m tanzheng.hardware.mqtt.simulator mqtt://USER:PASSWORD@127.0.0.1:1883 tasmota

One line is printed for each message: topic and, where it is text, payload.
"""

import argparse
import time
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tanzheng.core.errors import BadInput
from tanzheng.hardware.mqtt import codec
from tanzheng.hardware.mqtt.sparkplug import Publication, SparkplugNode

DEVICE = "meter-1"
POWER_KW = 42.5
CONNECT_S_MAX = 10


class Publisher:
    """A client that publishes and waits for the broker's word. `will` is a Sparkplug NDEATH."""

    def __init__(self, url: str, client_id: str, will: Publication | None = None) -> None:
        parts = urlsplit(url)
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id)
        if parts.username is not None:
            self._client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        if will is not None:
            topic, payload, qos = will
            self._client.will_set(topic, payload, qos)
        self._client.connect(parts.hostname or "", parts.port or 1883)
        self._client.loop_start()
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + CONNECT_S_MAX
        while not self._client.is_connected():
            if time.monotonic() > deadline:
                self.leave()
                raise BadInput(f"expected a broker within {CONNECT_S_MAX} s, got none")
            time.sleep(0.01)

    def publish(self, topic: str, payload: bytes, qos: int = 1, retain: bool = False) -> None:
        """Publish and wait until the broker has it (QoS 1) or it is written (QoS 0)."""
        self.publish_soon(topic, payload, qos, retain).wait_for_publish(CONNECT_S_MAX)

    def publish_soon(
        self, topic: str, payload: bytes, qos: int = 1, retain: bool = False
    ) -> mqtt.MQTTMessageInfo:
        """Publish without waiting."""
        return self._client.publish(topic, payload, qos, retain)

    def vanish(self) -> None:
        """End without a DISCONNECT: the broker publishes the Will."""
        sock = self._client.socket()
        self._client.loop_stop()
        if sock is not None:
            sock.close()

    def leave(self) -> None:
        """Disconnect in good order."""
        self._client.disconnect()
        self._client.loop_stop()


def messages(form: str, t_ms: int, energy_kwh: float) -> Iterator[codec.Message]:
    """What the meter says at `t_ms` in one of `codec.FORMATS`; Sparkplug has a session instead."""
    tags = {"P": POWER_KW, "E": energy_kwh}
    if form == "shelly_gen1":
        yield from codec.shelly_gen1(DEVICE, POWER_KW * 1000, energy_kwh * 60_000)
    elif form == "shelly_gen2":
        yield codec.shelly_gen2(DEVICE, t_ms, {"total_act_power": POWER_KW * 1000})
    elif form == "tasmota":
        yield codec.tasmota(DEVICE, t_ms, {"Total": energy_kwh, "Power": POWER_KW * 1000}, 480)
    elif form == "neuron_values":
        yield codec.neuron_values(DEVICE, "fast", t_ms, tags, {"Q": 3002})
    elif form == "neuron_tags":
        yield codec.neuron_tags(DEVICE, "fast", t_ms, tags, {"Q": 3002})
    elif form == "thingsboard":
        yield codec.thingsboard(DEVICE, {t_ms: tags})
    else:
        raise BadInput(f"expected one of {', '.join(codec.FORMATS)}, got {form}")


def run(url: str, form: str, interval_s: float, count: int | None) -> None:
    """Publish every `interval_s`, `count` times or for ever."""
    node = SparkplugNode("plant", "edge-1", {DEVICE: ("P", "E")})
    publisher = Publisher(url, f"meter-simulator-{form}", node.will())
    births = form == "sparkplug"
    sent = 0
    while count is None or sent < count:
        t_ms, energy_kwh = time.time_ns() // 1_000_000, 1000.0 + sent * POWER_KW / 3600
        if births:
            values: dict[tuple[str, str], float | None] = {(DEVICE, "P"): POWER_KW}
            found = node.births(t_ms, {**values, (DEVICE, "E"): energy_kwh})
            births = False
        elif form == "sparkplug":
            found = [node.data(DEVICE, t_ms, {"P": POWER_KW, "E": energy_kwh})]
        else:
            found = [(topic, payload, 1) for topic, payload in messages(form, t_ms, energy_kwh)]
        for topic, payload, qos in found:
            publisher.publish(topic, payload, qos)
            print(topic, payload.decode() if form != "sparkplug" else f"{len(payload)} bytes")
        sent += 1
        time.sleep(interval_s)
    publisher.leave()


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description="A meter that publishes over MQTT · MQTT 仿真表计")
    parser.add_argument("url", help="mqtt://[USER:PASSWORD@]HOST[:PORT]")
    parser.add_argument("format", choices=codec.FORMATS)
    parser.add_argument("--interval", type=float, default=1.0, help="seconds · 秒")
    parser.add_argument("--count", type=int, help="messages; without it for ever · 次数")
    chosen = parser.parse_args()
    run(chosen.url, chosen.format, chosen.interval, chosen.count)


if __name__ == "__main__":
    main()
