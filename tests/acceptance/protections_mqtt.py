"""What the MQTT source does against each fault, taken away. See `runner.py`."""

import asyncio
from typing import Any

from acceptance.switches import protection, put
from tanzheng.edge.drivers.mqtt import link
from tanzheng.edge.drivers.mqtt.driver import MqttLine
from tanzheng.edge.drivers.mqtt.edge_node import EdgeNode
from tanzheng.edge.drivers.mqtt.intake import Intake
from tanzheng.edge.drivers.mqtt.link import SourceLink

LATE_S = 0.2


@protection("the session stays at the broker")
def clean_start() -> None:
    connect = link._Client.connect

    def clean(self: Any, *arguments: Any, **more: Any) -> Any:
        return connect(self, *arguments, **{**more, "clean_start": True})

    put(link._Client, "connect", clean)
    put(link, "SESSION_EXPIRY_S", 0)


@protection("confirmed when durable")
def confirmed_on_arrival() -> None:
    arrived, commit = MqttLine._arrived, MqttLine._commit

    def at_once(self: MqttLine, owner: SourceLink, message: Any) -> None:
        arrived(self, owner, message)
        owner.confirm(self._queue[-1][1])

    async def late(self: MqttLine, *arguments: Any) -> None:
        await asyncio.sleep(LATE_S)
        await commit(self, *arguments)

    put(MqttLine, "_arrived", at_once)
    put(MqttLine, "_commit", late)


@protection("a retained value is not of now")
def retained_is_now() -> None:
    place = Intake._place

    def stamped(self: Intake, reading: Any, message: Any, by_time: Any) -> None:
        place(self, reading, message._replace(retained=False), by_time)

    put(Intake, "_place", stamped)


@protection("subscribed on every connection")
def subscribed_once() -> None:
    subscribe = SourceLink._subscribe
    done: list[bool] = []

    async def once(self: SourceLink, items: Any) -> None:
        if not done:
            await subscribe(self, items)
        done.append(True)

    put(SourceLink, "_subscribe", once)


@protection("a gap in the sequence asks for births")
def gaps_are_not_seen() -> None:
    put(EdgeNode, "_gap", lambda _self, _message: False)


@protection("data wait for their births")
def nothing_waits() -> None:
    put(EdgeNode, "_hold", lambda *_: None)
