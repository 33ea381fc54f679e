"""The output of the command line: text, values and lines of JSON, without control characters."""

import errno
import json
import math
import sys
import time
from typing import Any

from holdall.cli._opening import printable
from holdall.errors import SerializationError, UnsupportedError
from holdall.serializers import get_serializer

__all__ = [
    "as_json",
    "json_time",
    "say",
    "say_error",
    "say_json",
    "say_value",
    "shown_time",
    "standard_input",
    "standard_output",
]


def standard_output() -> Any:
    """Return the standard output; raise OSError if the program was started without one."""
    return _open(sys.stdout, "the standard output")


def standard_input() -> Any:
    """Return the standard input; raise OSError if the program was started without one."""
    return _open(sys.stdin, "the standard input")


def _open(stream: Any, name: str) -> Any:
    if stream is None:
        raise OSError(errno.EBADF, f"{name} is closed")
    return stream


def say(text: str) -> None:
    """Write a line; escape characters that the encoding of the output lacks."""
    output = standard_output()
    encoding = output.encoding or "utf-8"
    output.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def say_error(text: str) -> None:
    """Write a line to the standard error, if there is one."""
    if sys.stderr is not None:
        line = " ".join(text.split())
        print(f"holdall: {printable(line)}", file=sys.stderr)  # noqa: T201  (the output of a command line)


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
        _say_bytes(value)
    elif isinstance(value, str):
        _say_bytes(value.encode("utf-8", "surrogatepass"))
        if standard_output().isatty() and not value.endswith("\n"):
            say("")
    else:
        try:
            say(as_json(value))
        except SerializationError:
            say(_repr(value))


def _repr(value: Any) -> str:
    try:
        return repr(value)
    except Exception as error:  # as of a number of thousands of digits, or of a class of the user
        raise UnsupportedError(f"the value, a {type(value).__name__}, cannot be shown: {error}") from error


def _say_bytes(data: bytes | bytearray) -> None:
    output = standard_output()
    output.flush()
    output.buffer.write(data)


def shown_time(mtime: float) -> str:
    """Return a time for display; "-" if it is unknown."""
    return "-" if mtime != mtime else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(mtime))  # noqa: PLR0124


def json_time(mtime: float) -> float | None:
    """Return a time for JSON; None if it is unknown."""
    return None if math.isnan(mtime) else mtime
