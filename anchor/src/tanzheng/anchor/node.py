"""An Ethereum node over JSON-RPC: web3.py with a time limit, no hidden retries, own errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import requests
from web3 import HTTPProvider, Web3
from web3.exceptions import ContractLogicError, Web3Exception
from web3.types import RPCEndpoint

from tanzheng.anchor.errors import ChainRefused, ChainUnavailable

REQUEST_S_MAX = 10.0


class Node:
    """One node. Every call answers within `timeout_s` or raises `ChainUnavailable`.

    `name` is what people and logs get to see: the address without what may be a secret in it.
    """

    def __init__(self, url: str, timeout_s: float = REQUEST_S_MAX) -> None:
        self.url = url
        self.name = _name(url)
        self.timeout_s = timeout_s
        # web3.py would try a request five times over, also one that sends a transaction: whether
        # to try again is decided where the state of the publication is known.
        provider = HTTPProvider(
            url, request_kwargs={"timeout": timeout_s}, exception_retry_configuration=None
        )
        self.web3 = Web3(provider)
        self._provider = provider

    def rpc(self, method: str, *parameters: Any) -> Any:
        """Result of a raw call, numbers and bytes as the node's hexadecimal text.

        web3.py's formatters refuse the long extraData of consortium chains and drop header fields
        that they do not know; a header that shall hash to the block hash needs them as they are.
        """
        with self.errors(method):
            response = self._provider.make_request(RPCEndpoint(method), list(parameters))
        error = response.get("error")
        if error is not None:
            raise ChainRefused(f"{method}: expected a result from {self.name}, got {error}")
        return response.get("result")

    @property
    def chain_id(self) -> int:
        """The chain's own number (EIP-155)."""
        return int(self.rpc("eth_chainId"), 16)

    def block(self, which: int | str) -> dict[str, Any]:
        """Raw block by number or tag; `ChainRefused` where the node has none."""
        name = hex(which) if isinstance(which, int) else which
        block = self.rpc("eth_getBlockByNumber", name, False)
        if not isinstance(block, dict):
            raise ChainRefused(f"expected block {which} on {self.name}, got none")
        return block

    def block_number(self, tag: str) -> int:
        """Number of the block that `tag` names (`latest`, `finalized`)."""
        return int(self.block(tag)["number"], 16)

    def block_hash(self, number: int) -> bytes | None:
        """Hash of block `number` on the chain as it is now; None beyond its end."""
        block = self.rpc("eth_getBlockByNumber", hex(number), False)
        return bytes.fromhex(block["hash"][2:]) if block else None

    @contextmanager
    def errors(self, what: str) -> Iterator[None]:
        """Turn what web3.py and requests raise into this package's errors.

        The contract's own refusals pass: who calls it knows how to read them.
        """
        try:
            yield
        except ContractLogicError:
            raise
        except (requests.RequestException, OSError) as error:
            raise ChainUnavailable(
                f"{what}: expected an answer from {self.name} within {self.timeout_s:g} s, "
                f"got {type(error).__name__}"
            ) from error
        except (Web3Exception, ValueError) as error:  # ValueError: an answer that is no JSON
            raise ChainRefused(
                f"{what}: expected a result from {self.name}, got {error}"
            ) from error


def _name(url: str) -> str:
    """Scheme, host and port: keys of providers stand in the path, passwords before the host."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    more = "/…" if parts.path.strip("/") or parts.query else ""
    return f"{parts.scheme}://{parts.hostname}{port}{more}"
