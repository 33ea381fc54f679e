"""The output of the command line: text, values and lines of JSON, without control characters."""

import json
import math
import sys
import time
from typing import Any

from holdall.errors import SerializationError, UnsupportedError
from holdall.serializers import get_serializer

__all__ = ["as_json", "json_time", "say", "say_json", "say_value", "shown_time"]


def say(text: str) -> None:
    """Write a line; escape characters that the encoding of the output lacks."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def say_json(thing: Any) -> None:
    """Write one line of JSON."""
    say(json.dumps(thing, ensure_ascii=False))


def as_json(value: Any) -> str:
    """Return a value as JSON that reads back as the same value.

    Raises
    ------
    SerializationError
        If JSON cannot represent the value.
    """
    return get_serializer("json").dumps(value).decode()


def say_value(value: Any, *, strict: bool) -> None:
    """Write a value: bytes and text unchanged, others as JSON if possible, or as their repr.

    Parameters
    ----------
    value
        The value.
    strict
        Whether it must be JSON, with quotes around text.
    """
    if strict:
        try:
            say(as_json(value))
        except SerializationError as error:
            raise UnsupportedError(f"the value is no JSON ({error}): leave out --json") from error
    elif isinstance(value, bytes | bytearray):
        sys.stdout.flush()
        sys.stdout.buffer.write(value)
    elif isinstance(value, str):
        sys.stdout.flush()
        sys.stdout.buffer.write(value.encode("utf-8", "surrogatepass"))
        if sys.stdout.isatty() and not value.endswith("\n"):
            sys.stdout.write("\n")
    else:
        try:
            say(as_json(value))
        except SerializationError:
            say(repr(value))


def shown_time(mtime: float) -> str:
    """Return a time for display; "-" if it is unknown."""
    return "-" if mtime != mtime else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(mtime))  # noqa: PLR0124


def json_time(mtime: float) -> float | None:
    """Return a time for JSON; None if it is unknown."""
    return None if math.isnan(mtime) else mtime
