"""Which file is the script: the one with the calling code, if it can keep values."""

import os
import sys
from types import FrameType
from typing import Any, NamedTuple

from holdall.errors import InvalidArgumentError, UnsupportedError

__all__ = ["FALLBACKS", "Origin", "caller", "check_fallback", "is_installed", "is_of_package", "origin_of"]

#: What to do where the script cannot keep values.
FALLBACKS = ("error", "memory", "sidecar")

_INSTALLED = frozenset({"site-packages", "dist-packages"})


class Origin(NamedTuple):
    """The origin of a piece of code.

    Parameters
    ----------
    path
        The file that contains it, links resolved; None if there is none.
    why
        Why values cannot be kept there; "" if they can.
    known_as
        The name from which the name of a file elsewhere is made.
    testing
        Whether the reason is that a test runner is running.
    """

    path: str | None
    why: str
    known_as: str
    testing: bool = False

    def refuse(self) -> UnsupportedError:
        """Return the error with what to do about it."""
        return UnsupportedError(
            f"values cannot be kept in the script here: {self.why}. Give fallback='memory' to keep them "
            "until the process ends, fallback='sidecar' to keep them in a file of their own, or use a store "
            "with a path",
        )

    @property
    def sidecar(self) -> str:
        """Return the file that keeps the values instead, in the user's folder for such data."""
        from hashlib import blake2b  # noqa: PLC0415  (rarely needed)

        base = os.environ.get("XDG_DATA_HOME", "")
        if not os.path.isabs(base):
            base = os.path.join(os.path.expanduser("~"), ".local", "share")
        digest = blake2b(os.fsencode(self.known_as), digest_size=8).hexdigest()
        name = os.path.basename(self.known_as) or "root"
        return os.path.join(base, "holdall", f"{name[:100]}-{digest}.holdall")


def check_fallback(fallback: Any) -> None:
    """Raise `InvalidArgumentError` if a fallback is not one of `FALLBACKS`."""
    if fallback not in FALLBACKS:
        raise InvalidArgumentError(f"fallback is 'error', 'memory' or 'sidecar', got {fallback!r}")


def caller(made: object) -> FrameType:
    """Return the frame in which an object is made, from within its ``__init__``.

    Parameters
    ----------
    made
        The object; the ``__init__`` of its subclasses is skipped.
    """
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  (the only way to ask)
    while frame is not None:
        code = frame.f_code
        mine = code.co_argcount and frame.f_locals.get(code.co_varnames[0]) is made
        if not mine and frame.f_globals.get("__name__") != "typing":  # `Value[int](0)` passes through typing
            return frame
        frame = frame.f_back
    raise UnsupportedError(f"nobody made the {type(made).__name__}")  # pragma: no cover


def origin_of(frame: FrameType) -> Origin:
    """Return in which file the code of a frame is, and whether the file can keep values.

    Parameters
    ----------
    frame
        The frame of the code.
    """
    name = frame.f_code.co_filename
    file = frame.f_globals.get("__file__")
    if getattr(sys, "frozen", False):
        return Origin(None, "the program is frozen and has no source", sys.executable)
    if not isinstance(file, str) or name.startswith("<"):
        where = os.path.join(os.getcwd(), "session")
        return Origin(None, f"the code has no file of its own; it was typed in or comes from {name}", where)
    path = os.path.realpath(name)
    if path != os.path.realpath(file):
        kind = "was compiled before" if file.endswith((".pyc", ".pyo")) else "does not come from that file"
        return Origin(None, f"the code of {file} {kind}", os.path.realpath(file))
    if not os.path.isfile(path):
        return Origin(None, f"{path} is no file; it may lie in an archive", path)
    if is_installed(path):
        return Origin(path, f"{path} is installed, and what is installed may be replaced at any time", path)
    if _is_under_test(path):
        return Origin(
            path, f"a test runner is at work, and {path} is not the file of a test", path, testing=True
        )
    return Origin(path, "", path)


def is_of_package(frame: FrameType) -> bool:
    """Return whether code is in a module of a package, or in a program made by `zipapp`."""
    name = os.path.basename(frame.f_code.co_filename)
    return bool(frame.f_globals.get("__package__")) or name == "__main__.py"


def is_installed(path: str) -> bool:
    """Return whether a file belongs to Python, to a package, or to the programs of packages."""
    if not _INSTALLED.isdisjoint(path.split(os.sep)):
        return True
    homes = {os.path.dirname(os.__file__)}
    homes |= {os.path.join(prefix, "bin") for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix)}
    return any(path.startswith(os.path.realpath(home) + os.sep) for home in homes)


def _is_under_test(path: str) -> bool:
    """Return whether pytest runs, and the file is not one of its tests."""
    if "_pytest" not in sys.modules:
        return False
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    if isinstance(main, str) and os.path.realpath(main) == path:
        return False  # a script that uses pytest but is run as a script
    name = os.path.basename(path)
    return not (name.startswith("test_") or name.endswith("_test.py"))
