"""How an endpoint is opened: a TCP connection or a serial port, and why it could not be."""

from tanzheng.edge.drivers.modbus.link import Owner, RtuLink, TcpLink
from tanzheng.edge.drivers.modbus.settings import RTU, TCP, Endpoint
from tanzheng.edge.socket_pool import SocketPool

AnyLink = TcpLink | RtuLink


class OpenFailed(Exception):
    """Why there is no link; `reason` is what the gap record says."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Opener:
    """Opens links to `endpoint`.

    `by_silence`: frames are parted by `silence_s` without a byte. `quiet_s` after as many bytes as
    an answer has, nothing more of it will come.
    """

    def __init__(self, endpoint: Endpoint, pool: SocketPool) -> None:
        self._endpoint, self._pool = endpoint, pool
        self.by_silence = endpoint.protocol != TCP
        self.silence_s = _silence_s(endpoint) if self.by_silence else 0.0
        self.quiet_s = 0.1 if endpoint.protocol == RTU else 0.5
        self.name = endpoint.name

    async def open(self, owner: Owner) -> AnyLink:
        """A fresh link whose callbacks go to `owner`; `OpenFailed` where there is none."""
        endpoint = self._endpoint
        if endpoint.protocol == RTU:
            return self._open_port(owner)
        try:
            _, link = await self._pool.create_connection(
                lambda: self._link(owner), endpoint.host, endpoint.port
            )
        except ConnectionRefusedError:
            raise OpenFailed("refused") from None
        except (OSError, UnicodeError):
            raise OpenFailed("unreachable") from None
        return link

    def _link(self, owner: Owner) -> AnyLink:
        return RtuLink(owner, self._endpoint.echo) if self.by_silence else TcpLink(owner)

    def _open_port(self, owner: Owner) -> AnyLink:
        # A gateway without serial lines does not load the serial library.
        from tanzheng.edge.serial_port import SerialPortError, open_serial

        at = self._endpoint
        try:
            _, link = open_serial(
                at.path, at.baud, at.parity, at.stop, lambda: RtuLink(owner, at.echo)
            )
        except SerialPortError as error:
            raise OpenFailed(error.reason) from None
        return link


def _silence_s(endpoint: Endpoint) -> float:
    """3.5 characters on a serial port; behind a serial server its own clock keeps that, and
    pieces of one answer may come in two segments."""
    if endpoint.protocol != RTU:
        return 0.005
    from tanzheng.edge.serial_port import silence_s

    return silence_s(endpoint.baud, endpoint.parity, endpoint.stop)
