"""`/health` of the hours' service, for a probe on the same machine: 200, or 503 with reasons."""

import json
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

from tanzheng.core.errors import BadInput, TanzhengError

REQUEST_S_MAX = 5.0


class HealthFailed(TanzhengError):
    """The address for health cannot be had."""


class Health(AbstractContextManager["Health"]):
    """Answers at HOST:PORT (port 0: a free one) as long as the `with` block; `faults` says why
    not healthy. `BadInput`, `HealthFailed`."""

    def __init__(self, address: str, faults: Callable[[], list[str]]) -> None:
        class Handler(_Handler):
            ask = staticmethod(faults)

        try:
            self._server = ThreadingHTTPServer(_parsed(address), Handler)
        except OSError as error:
            raise HealthFailed(f"health: expected to listen on {address}, got {error}") from error
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    timeout = REQUEST_S_MAX
    ask: Callable[[], list[str]]

    def do_GET(self) -> None:
        """One request a connection."""
        faults = self.ask()
        known = self.path == "/health"
        status = (503 if faults else 200) if known else 404
        told = {"healthy": not faults, "reasons": faults} if known else {"expected": "/health"}
        body = json.dumps(told, ensure_ascii=False).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        """Which Python answers is nobody's business."""
        return "tanzheng"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Probes are no events."""


def _parsed(address: str) -> tuple[str, int]:
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise BadInput(f"--health: expected HOST:PORT, got {address!r}")
    return host, int(port)
