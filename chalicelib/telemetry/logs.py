"""Log lines for people and programs: one JSON object a line, each with a stable `action`."""

import json
import logging
import sys
from typing import Any

from chalicelib.shared.clock import SystemClock, rfc3339

# Not Chalice's own logger, which is named after the app.
_logger = logging.getLogger("aetherlink.log")


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": rfc3339(SystemClock().now()),
            "level": record.levelname,
            "action": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure(level: str) -> None:
    """Write lines of `level` and above to standard error.

    Calling it again only changes the level.
    """
    if not _logger.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_JsonLines())
        _logger.addHandler(handler)
        _logger.propagate = False
    _logger.setLevel(level)


def info(action: str, **fields: Any) -> None:
    """Log something that went as it should."""
    _logger.info(action, extra={"fields": fields})


def warning(action: str, **fields: Any) -> None:
    """Log a problem that the product handles by itself."""
    _logger.warning(action, extra={"fields": fields})


def error(action: str, *, exc_info: bool = False, **fields: Any) -> None:
    """Log something that a person has to look at."""
    _logger.error(action, extra={"fields": fields}, exc_info=exc_info)
