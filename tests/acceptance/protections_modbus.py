"""What the Modbus driver does against each fault, taken away. See `runner.py`."""

from collections.abc import Sequence
from typing import Any

from acceptance.switches import protection, put
from tanzheng.edge.abc import Line, Placed, Surroundings
from tanzheng.edge.backoff import Backoff
from tanzheng.edge.drivers.modbus import driver
from tanzheng.edge.drivers.modbus.learning import Pupil
from tanzheng.edge.drivers.modbus.line import ModbusLine
from tanzheng.edge.drivers.modbus.link import Failure, TcpLink
from tanzheng.hardware.points import PointSpec


@protection("back-off of a device")
def always_tried() -> None:
    put(Backoff, "ready", lambda _self, _now_s: True)


@protection("late replies are dropped")
def late_replies_believed() -> None:
    ask = TcpLink.ask

    def same_transaction(self: TcpLink, request: Any) -> None:
        self._transaction = 0
        ask(self, request)

    def keep_the_connection(self: TcpLink) -> bool:
        self._request = None
        return False

    put(TcpLink, "ask", same_transaction)
    put(TcpLink, "forget", keep_the_connection)
    put(ModbusLine, "_drop", lambda _self: None)


@protection("one owner of an endpoint")
def a_line_a_device() -> None:
    make_lines = driver.make_lines

    def apart(devices: Sequence[Placed], around: Surroundings) -> list[Line]:
        return [line for device in devices for line in make_lines([device], around)]

    put(driver, "make_lines", apart)


@protection("the unit of an answer is checked")
def any_unit() -> None:
    ask = TcpLink.ask

    def head_without_unit(self: TcpLink, request: Any) -> None:
        ask(self, request)
        self._head = self._head[:2]

    put(TcpLink, "ask", head_without_unit)


@protection("a cut line is opened again")
def opened_once() -> None:
    open_line = ModbusLine._open

    def once(self: ModbusLine) -> Failure | None:
        if self._connections:
            return Failure("connection_lost", of_line=True)
        return open_line(self)

    put(ModbusLine, "_open", once)


@protection("a read is halved")
def never_halved() -> None:
    put(Pupil, "start", lambda *_: False)


@protection("sentinels")
def sentinels_believed() -> None:
    from_plan: Any = vars(PointSpec)["from_plan"].__func__

    def without(cls: type[PointSpec], plan: Any, *rest: Any) -> PointSpec:
        bare = {key: value for key, value in plan.items() if key != "sentinels"}
        spec: PointSpec = from_plan(cls, bare, *rest)
        return spec

    put(PointSpec, "from_plan", classmethod(without))
