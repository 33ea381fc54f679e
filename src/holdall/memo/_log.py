"""What became of calls, for whoever keeps logs: ``holdall.memo``, at the level of debugging."""

import sys
from typing import Any

__all__ = ["log"]

_logger: Any = None


def log(message: str, *args: Any) -> None:
    """Log a message, unless nobody has imported `logging`, which is slow to import."""
    global _logger  # noqa: PLW0603
    if _logger is None:
        logging = sys.modules.get("logging")
        if logging is None:
            return
        _logger = logging.getLogger("holdall.memo")
    if _logger.isEnabledFor(10):
        _logger.debug(message, *args)
