"""Outcomes of calls for logs: ``holdall.memo``, at debug level."""

import sys
from typing import Any

__all__ = ["log"]

_logger: Any = None


def log(message: str, *args: Any) -> None:
    """Log a message, unless `logging` was not imported, which is slow to import."""
    global _logger  # noqa: PLW0603
    if _logger is None:
        logging = sys.modules.get("logging")
        if logging is None:
            return
        _logger = logging.getLogger("holdall.memo")
    if _logger.isEnabledFor(10):
        _logger.debug(message, *args)
