"""The evidence month: who did what to a month's evidence, in a journal that only grows."""

from tanzheng.analytics.evidence.journal import Accepted, Journal, accepted
from tanzheng.analytics.evidence.store import read, write

__all__ = ["Accepted", "Journal", "accepted", "read", "write"]
