"""One JSON line for each event, on stderr. The standard library only: structlog would add 5 MB."""

import json
import logging
from datetime import UTC, datetime
from typing import Any

LOGGER = logging.getLogger("tanzheng.edge")


class JsonLines(logging.Formatter):
    """Time, level, event, and whatever fields the event has."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        when = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "time": when.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def set_up() -> None:
    """Send the agent's log to stderr as JSON lines."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False


def info(event: str, **fields: object) -> None:
    """Something that happens in the course of things."""
    LOGGER.info(event, extra={"fields": fields})


def warning(event: str, **fields: object) -> None:
    """Something that a person should look at."""
    LOGGER.warning(event, extra={"fields": fields})


def error(event: str, **fields: object) -> None:
    """Something that is wrong and needs a person."""
    LOGGER.error(event, extra={"fields": fields})


def exception(event: str, fault: BaseException, **fields: object) -> None:
    """A fault of ours, with its traceback."""
    LOGGER.error(event, exc_info=fault, extra={"fields": fields})
