"""Names on disk in UTF-8, whatever the locale.

Where Python itself names files in UTF-8, which is nearly everywhere, nothing needs to be done. Under another
locale (``C`` without UTF-8 mode, ISO-8859-1) a text is converted so that the bytes on disk are the same.
"""

import os
import sys
from collections.abc import Callable
from typing import Any, Final, TypeVar

__all__ = ["UTF8", "fs_name", "fs_path", "naming", "text_of"]

F = TypeVar("F", bound=Callable[..., Any])

#: Whether Python itself names files in UTF-8.
UTF8: Final = sys.getfilesystemencoding().lower().replace("-", "") == "utf8"


def fs_name(text: str) -> str:
    """Return the text with which Python's own functions reach the file with a name in UTF-8."""
    return text if UTF8 else os.fsdecode(text.encode("utf-8", "surrogateescape"))


def text_of(name: str) -> str:
    """Undo `fs_name`, for a name from a listing."""
    return name if UTF8 else os.fsencode(name).decode("utf-8", "surrogateescape")


def fs_path(path: str) -> str:
    """Return a path as the user's own ``open()`` takes it; in UTF-8 if the locale cannot encode it."""
    if not UTF8:
        try:
            os.fsencode(path)
        except UnicodeEncodeError:
            return fs_name(path)
    return path


def naming(function: F) -> F:
    """Return a function of `os` that takes names as text: the function itself where Python uses UTF-8."""
    if UTF8:
        return function

    def call(*args: Any, **options: Any) -> Any:
        return function(*[fs_name(arg) if type(arg) is str else arg for arg in args], **options)

    return call  # type: ignore[return-value]
