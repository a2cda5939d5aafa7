"""What ingest does against each fault, taken away. See `runner.py`."""

from collections.abc import Callable

PROTECTIONS: dict[str, Callable[[], None]] = {}
