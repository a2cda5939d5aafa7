"""What a transaction offers for its gas, and what it must offer to take the place of a stuck one.

Three kinds of chain: with a base fee (EIP-1559), without one (a gas price), and consortium chains
that charge nothing, where all of it is 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tanzheng.anchor.errors import FeeAboveLimit

if TYPE_CHECKING:
    from tanzheng.anchor.node import Node

BASE_FEE_HEADROOM = 2
"""A base fee grows by at most 1/8 a block (EIP-1559): twice of it lasts for five full ones."""
REPLACEMENT_DIVISOR = 8
"""A replacement offers 1/8 more of everything; nodes ask for 1/10 (geth `--txpool.pricebump`)."""
BUMP_AFTER_S = 180.0


@dataclass(frozen=True, slots=True)
class FeePolicy:
    """The operator's limits, in wei a gas.

    `fee_wei_max`: never offer more, rather wait. `priority_fee_wei`: instead of what the node
    suggests. `bump_after_s`: a transaction in no block for so long is replaced.
    """

    fee_wei_max: int | None = None
    priority_fee_wei: int | None = None
    bump_after_s: float = BUMP_AFTER_S


@dataclass(frozen=True, slots=True)
class Fee:
    """An offer in wei a gas; `priority_wei` None on a chain without base fee."""

    wei: int
    priority_wei: int | None

    def fields(self) -> dict[str, int]:
        """As the fields of a transaction."""
        if self.priority_wei is None:
            return {"gasPrice": self.wei}
        return {"maxFeePerGas": self.wei, "maxPriorityFeePerGas": self.priority_wei}


@dataclass(frozen=True, slots=True)
class Market:
    """What a node asks now, in wei a gas: base fee of the newest block, and a price with it."""

    base_fee_wei: int | None
    gas_price_wei: int

    @classmethod
    def at(cls, node: Node) -> Market:
        """Ask the node."""
        base = node.block("latest").get("baseFeePerGas")
        price = int(node.rpc("eth_gasPrice"), 16)
        return cls(None if base is None else int(base, 16), price)


def offer(market: Market, policy: FeePolicy) -> Fee:
    """The first offer; `FeeAboveLimit` where the limit would not be enough for the next block."""
    base, limit = market.base_fee_wei, policy.fee_wei_max
    if base is None:
        return _limited(Fee(market.gas_price_wei, None), limit)
    suggested = max(market.gas_price_wei - base, 0)
    priority = suggested if policy.priority_fee_wei is None else policy.priority_fee_wei
    wanted = BASE_FEE_HEADROOM * base + priority
    if limit is not None and base + priority <= limit < wanted:
        return Fee(limit, priority)
    return _limited(Fee(wanted, priority), limit)


def replacement(before: Fee, market: Market, policy: FeePolicy) -> Fee:
    """The offer that takes the place of `before`; `FeeAboveLimit` where it may not be made.

    Equal to `before` where nothing is charged: then there is nothing to outbid.
    """
    now = offer(market, policy)
    priority = None
    if before.priority_wei is not None:
        priority = max(_raised(before.priority_wei), now.priority_wei or 0)
    return _limited(Fee(max(_raised(before.wei), now.wei), priority), policy.fee_wei_max)


def _raised(wei: int) -> int:
    return wei + -(-wei // REPLACEMENT_DIVISOR)


def _limited(fee: Fee, limit: int | None) -> Fee:
    if limit is not None and fee.wei > limit:
        raise FeeAboveLimit(f"expected to offer at most {limit} wei a gas, got a need of {fee.wei}")
    return fee
