"""The items of a data set: one module each, with its arrays beside it."""

import copy
import importlib
import itertools
import math
import os
import re
import shutil
import sys
import time
from typing import Any

from holdall._posix.trust import check_trust
from holdall.archive._files import remove_path, replace_file, translating
from holdall.archive._info import LOG_NAME, InfoLog
from holdall.archive._lines import logical_lines
from holdall.archive._package import AGAIN
from holdall.archive.array_files import EXTENSIONS, holds_arrays, write_arrays
from holdall.archive.check import check
from holdall.archive.emit import Unit, emit
from holdall.archive.graph import walk
from holdall.archive.module import module_text, plain_text
from holdall.archive.objects import Describer
from holdall.archive.reading import loads
from holdall.archive.writer import ArrayNames
from holdall.errors import CorruptValueError, HoldallError, InvalidKeyError, SerializationError

__all__ = ["Items", "encode_info"]

_ARRAYS = "_arrays"

# The last line of a module whose item has had arrays: how many sets of them were written.
_COUNT = re.compile(r"^# arrays written so far: ([0-9]{1,18})$", re.MULTILINE)

# The arrays that a module reads.
_FILES = re.compile(r"= _Arrays\(\s*'([^'/\\\n]+)'")

# How much longer than the one before a text may become.
_MAX_PADDING = 10_000

_CALLS = itertools.count()


class Items:
    """The modules in the folder of a data set.

    Parameters
    ----------
    folder
        The folder.
    array_threshold, data_format, scoped, mmap
        As for `Archive`.
    backup
        Whether to keep replaced files.
    trust
        Whether to run modules that others could have written.
    """

    def __init__(
        self,
        folder: str,
        *,
        array_threshold: float,
        data_format: str,
        scoped: bool,
        mmap: bool,
        backup: bool,
        trust: bool,
    ) -> None:
        self.folder = folder
        self.array_threshold = array_threshold
        self.data_format = data_format
        self.scoped = scoped
        self.mmap = mmap
        self.backup = backup
        self.trust = trust

    def path(self, name: str) -> str:
        """Return the file of the module of an item."""
        return os.path.join(self.folder, f"{name}.py")

    def exists(self, name: str) -> bool:
        """Return whether an item has data."""
        return os.path.exists(self.path(name))

    def time(self, name: str) -> int:
        """Return the time of the module of an item, in whole seconds since 1970; 0 if there is none."""
        try:
            return int(os.stat(self.path(name)).st_mtime)
        except FileNotFoundError:
            return 0

    # -- reading

    def load(self, name: str) -> Any:
        """Return the value of an item.

        Raises
        ------
        KeyError
            If there is no such module.
        CorruptValueError
            If the module cannot be run.
        """
        return self.read(name)[0]

    def read(self, name: str) -> tuple[Any, os.stat_result]:
        """Return the value of an item and the stat of its module, as `load` does."""
        path = self.path(name)
        while True:
            text, stat = self._text(path, name)
            scope: dict[str, Any] = {"__file__": path, "_text": text.decode("utf-8", "replace")}
            before = scope["_text"]
            try:
                value = self._run(path, name, text, scope)
            except (OSError, ImportError) as error:
                raise _broken(path, error) from error
            if scope.get("_text", before) == before:
                return value, stat

    def _text(self, path: str, name: str) -> tuple[bytes, os.stat_result]:
        """Return the text of a module, and its stat."""
        with translating(path, f"{name!r} cannot be read"):
            try:
                with open(path, "rb") as file:
                    stat = os.fstat(file.fileno())
                    if not self.trust:
                        check_trust(file.fileno(), repr(name), path)
                    return file.read(), stat
            except FileNotFoundError:
                raise KeyError(name) from None

    def _run(self, path: str, name: str, text: bytes, scope: dict[str, Any]) -> Any:
        """Run a module under a unique name, and return its value."""
        module = scope["__name__"] = (
            f"{os.path.basename(self.folder)}.{name} read by holdall ({next(_CALLS)})"
        )
        try:
            exec(compile(text, path, "exec", dont_inherit=True), scope)  # noqa: S102  (as an import does)
            if module in sys.modules:
                return sys.modules[module]
        except (HoldallError, OSError, ImportError, MemoryError):
            raise
        except (SyntaxError, UnicodeError) as error:
            raise CorruptValueError(f"{path} is no Python: {error}") from error
        except Exception as error:
            raise SerializationError(f"{path} cannot be loaded: {type(error).__name__}: {error}") from error
        finally:
            sys.modules.pop(module, None)
        if scope.get("__all__") == [name] and scope.get(name, module) is None:
            return None
        raise CorruptValueError(
            f"{path} does not replace itself by a value: it was not written by a data set"
        )

    def decode_info(self, record: dict[str, Any]) -> Any:
        """Return the metadata of a record; run code that they need, if it is trusted."""
        if "source" not in record:
            return copy.deepcopy(record["info"])
        try:
            return loads(record["source"])["info"]
        except SerializationError:
            path = os.path.join(self.folder, LOG_NAME)
            if not self.trust:
                check_trust(path, f"the metadata of {record['name']!r}", path)
        scope: dict[str, Any] = {}
        try:
            exec(record["source"], scope)  # noqa: S102  (as an import does)
            return scope["info"]
        except Exception as error:
            what = f"{path}: the metadata of {record['name']!r}"
            raise SerializationError(f"{what} cannot be loaded: {type(error).__name__}: {error}") from error

    # -- writing; the caller holds the lock

    def put(self, log: InfoLog, name: str, value: Any, record: dict[str, Any] | None) -> None:
        """Store a value, and its record unless that is None; a new item gets both or none."""
        is_new = not self.exists(name)
        if not is_new and name not in log:
            self._refuse_other_case(log, name)
        self.store(name, value, *log.deleted)
        if record is None:
            return
        try:
            log.append(name, record)
        except BaseException:
            if is_new:
                text = self._old(name)
                remove_path(self.path(name))
                self._discard(text)
            raise

    def _refuse_other_case(self, log: InfoLog, name: str) -> None:
        """Refuse a new item whose module would be that of another one, as where names differ by case only."""
        file = os.path.basename(self.path(name))
        others = [other for other in log if other.casefold() == name.casefold()]
        if others and file not in os.listdir(self.folder):
            raise InvalidKeyError(
                f"{name!r} would take the module of {others[0]!r}: the file system of {self.folder} ignores "
                "the case of names. Choose another name, or delete that item first",
            ).about(key=name, location=self.folder, operation="write")

    def store(self, name: str, value: Any, not_before: int, n_arrays: int) -> None:
        """Replace the value of an item as a whole, or not at all.

        Parameters
        ----------
        name
            The item.
        value
            Its value. None is not possible: an import of the item would return the module.
        not_before
            The time of a deleted module: this one gets a later one.
        n_arrays
            How many sets of arrays a deleted item had: this one gets others.
        """
        arrays, eager = _written(name, value, self.array_threshold, self.data_format)
        path = self.path(name)
        old = self._old(name)
        number = n_arrays if old is None else _count(old)
        while True:
            new = f"{name}_data{f'_{number}' if number else ''}{EXTENSIONS[self.data_format]}"
            data = os.path.join(self.folder, new)
            if not os.path.isdir(data) or holds_arrays(data):  # else it is a folder of someone's own
                break
            number += 1
        text = module_text(
            eager, [], names=[name], scoped=self.scoped, arrays_name=_ARRAYS,
            arrays=f"_Arrays({new!r}, {self.mmap})" if arrays.data else "",
            data_format=self.data_format, single=None if value is None else name, forget=False,
        )  # fmt: skip
        if arrays.data:
            text = _guarded(text)
            number += 1
        if number:
            text += f"# arrays written so far: {number}\n"
        text, stamp = self._dated(text, path, not_before)
        with translating(path, "the item cannot be written"):
            if arrays.data:
                remove_path(data)  # leftovers of a dead writer
            try:
                write_arrays(data, arrays.data, self.data_format)
                self._keep(path)
                replace_file(path, text.encode(), stamp)
            except BaseException:
                remove_path(data)
                raise
        if not self.backup:
            self._discard(old)
        importlib.invalidate_caches()

    def _dated(self, text: str, path: str, not_before: int) -> tuple[str, int]:
        """Return a text and its time, in nanoseconds, which no earlier module had both.

        Byte code is reused for a text of the same length in the same second. So a module that replaces one of
        this second is longer, unless by too much; then it is dated a second later.
        """
        now = time.time_ns()
        try:
            old = os.stat(path)
        except FileNotFoundError:
            return text, max(now, (not_before + 1) * 10**9)
        if now // 10**9 > old.st_mtime_ns // 10**9:
            return text, now
        longer = old.st_size + 1 - len(text.encode())
        if longer > _MAX_PADDING:
            return text, (old.st_mtime_ns // 10**9 + 1) * 10**9
        while longer > 0:
            text += f"#{'.' * min(longer - 2, 98)}\n"
            longer -= 100
        return text, max(now, old.st_mtime_ns + 1)

    def delete(self, name: str) -> None:
        """Delete the module of an item and its arrays, if they exist."""
        path = self.path(name)
        old = self._old(name)
        with translating(path, "the item cannot be deleted"):
            if old is not None:
                self._keep(path)
                os.unlink(path)
        if not self.backup:
            self._discard(old)
        importlib.invalidate_caches()

    def n_arrays(self, name: str) -> int:
        """Return how many sets of arrays were written for an item."""
        old = self._old(name)
        return 0 if old is None else _count(old)

    def _old(self, name: str) -> str | None:
        """Return the text of a module, or None."""
        with translating(self.path(name), "the item cannot be read"):
            try:
                with open(self.path(name), encoding="utf-8", errors="replace") as file:
                    return file.read()
            except FileNotFoundError:
                return None

    def _keep(self, path: str) -> None:
        """Keep a copy of what is about to be replaced, if wanted."""
        if self.backup and os.path.exists(path):
            number, name = 0, f"{path}.bak"
            while os.path.lexists(name):
                number += 1
                name = f"{path}_{number}.bak"
            shutil.copy2(path, name)

    def _discard(self, text: str | None) -> None:
        """Delete the arrays of a replaced module; a reader of its text reads the new one, too."""
        found = None if text is None else _FILES.search(text)
        data = os.path.join(self.folder, found[1]) if found else ""
        if found and (not os.path.isdir(data) or holds_arrays(data)):
            remove_path(data)


def _broken(path: str, error: Exception) -> SerializationError:
    """Return the error for a module that lacks a file or a module."""
    missing = error.__cause__ if isinstance(error.__cause__, OSError) else error
    if isinstance(missing, OSError):
        return CorruptValueError(f"{path}: a file of its arrays cannot be read: {missing}")
    return SerializationError(f"{path} cannot be loaded: {error}")


def _count(text: str) -> int:
    """Return how many sets of arrays were written for an item; those of another library count as one."""
    counts = _COUNT.findall(text)
    return int(counts[-1]) if counts else int("_data" in text)


def _guarded(text: str) -> str:
    """Return a module that is read again if its arrays were replaced after its text was read."""
    lines = list(logical_lines(text))
    pieces = [text[: lines[0].start], AGAIN, "try:\n"]
    for line in lines:
        pieces += ["    ", text[line.start : line.end]]
    return "".join(pieces) + "except (OSError, ImportError) as _problem:\n    _again(_problem)\n"


def _written(name: str, value: Any, threshold: float, data_format: str) -> tuple[ArrayNames, Unit]:
    """Write the statements that make a value, and try them."""
    arrays = ArrayNames(_ARRAYS)
    graph = walk({name: value}, Describer({}, threshold, data_format))
    eager, _ = emit(graph, arrays)
    check(eager, arrays.data, _ARRAYS)
    return arrays, eager


# -- metadata


def encode_info(info: Any) -> dict[str, Any]:
    """Return the record of metadata: as JSON if that is exact, otherwise as text that makes them."""
    if _is_json(info):
        return {"info": info}
    _, eager = _written("info", info, float("inf"), "npy")
    return {"source": plain_text(eager, scoped=True, arrays_name=_ARRAYS)}


def _is_json(value: Any, depth: int = 20) -> bool:
    """Return whether JSON returns a value exactly."""
    kind = type(value)
    if kind in (type(None), bool, str):
        return True
    if kind is int:
        return bool(value.bit_length() <= 14_000)  # json.loads refuses more digits
    if kind is float:
        return math.isfinite(value)
    if not depth:
        return False
    if kind is list:
        return all(_is_json(item, depth - 1) for item in value)
    return kind is dict and all(type(key) is str and _is_json(item, depth - 1) for key, item in value.items())
