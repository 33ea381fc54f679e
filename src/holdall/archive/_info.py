"""The names of a data set and their metadata: one line of JSON per change, appended.

An insertion costs the same however many names there are, and readers find all changes up to some moment. Text
after the last line end is still being written, or its writer died, unless it is a whole record.

A line is an object with ``name`` and one of these:

``info``
    The metadata, if JSON represents them exactly.
``source``
    Otherwise, Python text that assigns them to ``info``.
``deleted``
    The time of the deleted module, in whole seconds since 1970, and how many sets of arrays it had. Byte code
    that was compiled from it may still exist, and it may still be being read: a new module of that name has a
    later time, and other arrays. The name may be "", after a compaction.
"""

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

from holdall._posix.descriptors import opening
from holdall.archive._files import replace_file, translating
from holdall.errors import CorruptValueError

__all__ = ["LOG_NAME", "InfoLog"]

LOG_NAME = "_info.jsonl"

# A log with more than three times as many lines as names, and this many more, is rewritten.
_SPARE_LINES = 1000


class InfoLog:
    """The log of one data set, as far as it was read.

    Parameters
    ----------
    path
        The file.
    encode
        Returns the record of metadata: ``{"info": ...}`` or ``{"source": ...}``. None to read only names.
    decode
        Returns the metadata of such a record.
    """

    def __init__(
        self,
        path: str,
        encode: Callable[[Any], dict[str, Any]] | None = None,
        decode: Callable[[dict[str, Any]], Any] | None = None,
    ) -> None:
        self.path = path
        self._encode: Any = encode
        self._decode: Any = decode
        self._forget()

    def _forget(self) -> None:
        self._seen: tuple[int, ...] = ()
        self._end = 0  # bytes read as whole lines
        self._unended = False  # whether a whole record follows, whose line end an editor has removed
        self._n_lines = 0
        self._records: dict[str, dict[str, Any]] = {}
        #: The latest time of a deleted module, and the highest number of sets of arrays of one.
        self.deleted = (0, 0)

    def refresh(self) -> None:
        """Read what was appended since the last look; one system call if nothing was."""
        with translating(self.path, "the names of the data set cannot be read"):
            stat = os.stat(self.path)
            if (stat.st_ino, stat.st_size, stat.st_mtime_ns) == self._seen:
                return
            with open(self.path, "rb") as file:
                stat = os.fstat(file.fileno())
                if not self._seen or self._seen[0] != stat.st_ino or stat.st_size < self._end:
                    self._forget()
                file.seek(self._end)
                data = file.read()
        self._seen = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        whole = data.rfind(b"\n") + 1
        for line in data[:whole].splitlines():
            self._n_lines += 1
            self._take(line)
        self._end += whole
        self._unended = _is_whole(data[whole:])
        if self._unended:
            self._take(data[whole:])

    def _take(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            record = json.loads(line)
            name = record["name"]
            if "deleted" in record:
                time, n_arrays = map(int, record["deleted"])
                self.deleted = max(self.deleted[0], time), max(self.deleted[1], n_arrays)
                self._records.pop(name, None)
            elif (
                not isinstance(name, str) or not name.isidentifier() or not {"info", "source"} & record.keys()
            ):
                raise ValueError("no name, or neither info nor source nor deleted")  # noqa: TRY301
            else:
                self._records[name] = record
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            number = self._n_lines
            self._forget()
            raise CorruptValueError(
                f"{self.path}, line {number}: no record of a name ({type(error).__name__}: {error}): "
                f"{line[:80]!r}",
            ) from error

    def __contains__(self, name: object) -> bool:
        return name in self._records

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._records))

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, name: str) -> Any:
        return self._decode(self._records[name])

    # -- writing; the caller holds the lock of the data set and has refreshed

    def encoded(self, info: Any) -> dict[str, Any]:
        """Return the record of metadata; raise if they cannot be recorded."""
        encoded: dict[str, Any] = self._encode(info)
        return encoded

    def append(self, name: str, encoded: dict[str, Any]) -> None:
        """Record the metadata of a name."""
        self._append({"name": name, **encoded})

    def delete(self, name: str, time: int, n_arrays: int) -> None:
        """Record that a name was deleted, with the time of its module and its number of sets of arrays."""
        self._append({"name": name, "deleted": [time, n_arrays]})

    def _append(self, record: dict[str, Any]) -> None:
        line = _line(record)
        with translating(self.path, "the metadata cannot be written"):
            fd = -1
            try:
                [fd] = opening(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
                size = os.fstat(fd).st_size
                if size > self._end and not self._unended:  # a writer died within a line
                    size = self._end
                    os.ftruncate(fd, size)
                try:
                    _write_all(fd, b"\n" + line if size > self._end else line)
                except BaseException:
                    os.ftruncate(fd, size)
                    raise
            finally:
                if fd >= 0:
                    os.close(fd)
        self.refresh()
        if self._n_lines > 3 * len(self._records) + _SPARE_LINES:
            self._compact()

    def _compact(self) -> None:
        lines = [_line({"name": "", "deleted": self.deleted}), *map(_line, self._records.values())]
        with translating(self.path, "the metadata cannot be written"):
            replace_file(self.path, b"".join(lines))
        self._forget()
        self.refresh()


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode("ascii") + b"\n"


def _is_whole(line: bytes) -> bool:
    """Return whether a line is a whole record: what is cut off is no JSON."""
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
