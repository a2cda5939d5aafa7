"""A node behind a proxy that holds answers back, changes them, or is not there."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

Answer = dict[str, Any]
Change = Callable[[str, list[Any], Answer], Answer]


class Proxy:
    """Hands requests on to `target`; `change(method, parameters, answer)` is what comes back.

    `delay_s`: by method, how long its answer is held back; the node has acted by then.
    """

    def __init__(self, target: str, change: Change = lambda _m, _p, answer: answer) -> None:
        self.target = target
        self.change = change
        self.delay_s: dict[str, float] = {}
        self.asked: list[str] = []
        self.url = ""

    def answer(self, request: dict[str, Any]) -> Answer:
        """What the node says, changed."""
        self.asked.append(request["method"])
        answer = requests.post(self.target, json=request, timeout=10).json()
        time.sleep(self.delay_s.get(request["method"], 0))
        return self.change(request["method"], request.get("params", []), answer)


@contextmanager
def proxied(target: str, change: Change | None = None) -> Iterator[Proxy]:
    """A proxy on a free port, gone afterwards."""
    proxy = Proxy(target, change) if change else Proxy(target)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            data = json.dumps(proxy.answer(json.loads(body))).encode()
            with contextlib.suppress(OSError):  # who asked has gone
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Nothing on stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()
