"""Appending records, and rewriting the block when most records are outdated. The caller holds the lock."""

import atexit
import errno
import os
from collections.abc import Callable
from os import stat as os_stat
from os import write as os_write
from zlib import crc32

from holdall._posix.errors import translate, translating
from holdall._posix.replace import replace_file
from holdall.errors import HoldallError, OutcomeUnknownError, StoreUnavailableError, UnsupportedError
from holdall.persisters.script._file import OVERLAP, ScriptFile, open_files
from holdall.persisters.script._format import NEVER, Record, line_of, line_of_compaction
from holdall.persisters.script._records import compacted
from holdall.persisters.script._source import check_script, new_block

# Bytes of outdated records above which the block is rewritten, if they are also more than the rest.
# At exit, so that readers of the script find about one line per value.
_WHILE_RUNNING, _AT_EXIT = 1 << 16, 200
_PATIENCE_AT_EXIT = 1.0  # seconds: other writers will tidy up too


def append(file: ScriptFile, records: list[Record], *, sync: bool = False) -> None:
    """Append records to the file, in one write.

    Parameters
    ----------
    file
        The script, locked.
    records
        The records to write.
    sync
        Whether the records must survive a power failure.

    Raises
    ------
    StoreFullError
        If there is no room; none of the records are left then.
    StoreUnavailableError
        If the script is not writable.
    UnsupportedError
        If there is no block yet, and this text cannot have one.
    """
    newline = file.newline
    lines = b"".join([line_of(*record) + newline for record in records])
    try:
        lines, expected = _write(file, lines, sync=sync)
        for record in records:
            file.records.apply(record, len(lines) // len(records))
        _see(file, lines, expected)
    except BaseException:  # an interrupt may come between any two steps
        file.distrust()
        raise


def append_item(file: ScriptFile, id: str, item: tuple[bytes, bytes, bytes], *, sync: bool) -> None:
    """Write the record of one item, the most common write.

    Parameters
    ----------
    file, sync
        As for `append`.
    id
        The id.
    item
        Name, text and version.
    """
    body = b"%b = %b #: %b" % item
    line = b"# %b %08x%b" % (body, crc32(body), file.newline)
    size, added = file.end, len(line)
    try:
        if size != file.seen[1] or sync or file.block < 0 or file.overlap[-1:] != b"\n" or not file.writable:
            line, size = _write(file, line, sync=sync)
            file.records.put(id, item[1], item[2], added)
            _see(file, line, size)
            return
        # append() is inlined for the usual case: a call less is a tenth of a write.
        try:
            written = os_write(file.fd, line)
        except OSError as error:
            raise _failed(file, error, size, added) from error
        if written != added:
            _write_rest(file, line, written)
        file.wrote = True
        file.records.put(id, item[1], item[2], added)
        stat = os_stat(file.path)
        if (
            stat.st_size == size + added
            and stat.st_ino == file.seen[2]
            and file.records.nbytes <= _WHILE_RUNNING
        ):
            file.overlap, file.end = line[-OVERLAP:], size + added
            file.seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        else:
            _see(file, line, size + added)
    except BaseException:  # an interrupt may come between any two steps
        file.distrust()
        raise


def _see(file: ScriptFile, lines: bytes, size: int) -> None:
    """Read what was written; check for concurrent writes by others."""
    stat = os_stat(file.path)
    if stat.st_size == size and stat.st_ino == file.seen[2]:
        file.overlap = lines[-OVERLAP:] if len(lines) >= OVERLAP else (file.overlap + lines)[-OVERLAP:]
        file.end = size
        file.seen = (stat.st_mtime_ns, size, stat.st_ino)
    else:  # written without a lock: read all, and write missing records again
        if stat.st_ino == file.seen[2]:
            file.distrust()
        file.catch_up()
    if file.records.nbytes > _WHILE_RUNNING:
        tidy(file, _WHILE_RUNNING)


def _check_writable(file: ScriptFile) -> None:
    if not file.writable:
        raise StoreUnavailableError(
            errno.EACCES,
            "the script may not be written: change its mode, or keep its values elsewhere with "
            "fallback='sidecar' or fallback='memory'",
            file.path,
        )


def _before(file: ScriptFile) -> bytes:
    """Return what must come between the end of the file and a record: a newline, or a new block."""
    source = file.pread(0)
    if file.block >= 0:
        return b"" if source.endswith(b"\n") else file.newline
    if file.records.top == NEVER:  # otherwise there was a block, and the script is being edited
        check_script(source, file.path, runs=file.runs)
    begin = new_block(source, file.newline)
    file.block = len(source) + begin.index(b"# ===")
    return begin


def _write(file: ScriptFile, lines: bytes, *, sync: bool) -> tuple[bytes, int]:
    """Append lines; return what was appended, and the expected size of the file."""
    size = file.seen[1]
    if not file.writable:
        _check_writable(file)
    if file.block < 0 or file.end != size or file.overlap[-1:] != b"\n":
        lines = _before(file) + lines
    try:
        written = os_write(file.fd, lines)
    except OSError as error:
        raise _failed(file, error, size, len(lines)) from error
    if written != len(lines):
        _write_rest(file, lines, written)
    file.wrote = True
    if sync:
        _sync(file)
    return lines, size + len(lines)


def _write_rest(file: ScriptFile, lines: bytes, written: int) -> None:
    """Write the rest after an incomplete write."""
    size = file.seen[1]
    try:
        while written < len(lines):
            written += os_write(file.fd, memoryview(lines)[written:])
    except OSError as error:
        raise _failed(file, error, size, len(lines)) from error


def _failed(file: ScriptFile, error: OSError, size: int, added: int) -> StoreUnavailableError:
    """Remove a part of a record, which would be harmless but confusing."""
    if size < os.fstat(file.fd).st_size < size + added:
        os.ftruncate(file.fd, size)
    file.distrust()
    return translate(error, "it cannot be written", file.path)


def _sync(file: ScriptFile) -> None:
    try:
        os.fsync(file.fd)
    except OSError as error:
        file.distrust()
        raise OutcomeUnknownError(
            error.errno or 0, "it is written, but could not be synced: a power cut may undo it", file.path
        ) from error


# ---------------------------------------------------------------------- compaction


def tidy(file: ScriptFile, limit: int) -> None:
    """Compact the block if most of it is outdated, if possible."""
    records = file.records
    if records.garbage <= max(limit, records.live_nbytes):
        return
    try:
        compact(file)
    except (HoldallError, OSError):
        records.nbytes = records.live_nbytes  # not again before there is as much garbage again


def compact(file: ScriptFile) -> int:
    """Rewrite the file without outdated records, and replace the old one.

    Parameters
    ----------
    file
        The script, locked.

    Returns
    -------
    int
        Bytes by which the file is now shorter.

    Raises
    ------
    UnsupportedError
        If the file has other names, which would keep the old one.
    StoreUnavailableError
        If the file or its folder is not writable, or the new file could not have the same owner.
    """
    _check_writable(file)
    source, stat = file.source()
    if file.block < 0:
        return 0
    note = line_of_compaction(file.records.top)
    block = compacted(source[file.block :], file.records, file.newline, note)
    if block is None:
        return 0
    content = source[: file.block] + block
    _replace(file, content, stat)
    return max(0, len(source) - len(content))


def rewrite(file: ScriptFile, change: Callable[[bytes], bytes]) -> None:
    """Replace the program above the data.

    Parameters
    ----------
    file
        The script, locked.
    change
        Called with the program; returns the new one.
    """
    _check_writable(file)
    source, stat = file.source()
    begin = len(source) if file.block < 0 else file.block
    _replace(file, change(source[:begin]) + source[begin:], stat)


def _replace(file: ScriptFile, content: bytes, stat: os.stat_result) -> None:
    """Replace the script by a new file, and read it."""
    if stat.st_nlink > 1:
        raise UnsupportedError(
            f"{file.path} has {stat.st_nlink} hard links, and would have to be replaced under all of them"
        )
    with translating("it cannot be rewritten", file.path):
        _replace_file(file, content, stat)
    file.catch_up()


def _replace_file(file: ScriptFile, content: bytes, stat: os.stat_result) -> None:
    def finish(fd: int) -> None:
        new = os.fstat(fd)
        if (new.st_uid, new.st_gid) != (stat.st_uid, stat.st_gid):
            raise StoreUnavailableError(
                errno.EPERM, "it cannot be rewritten: the new file would belong to somebody else", file.path
            )
        os.fsync(fd)  # this is source code: a power failure must not leave an empty file
        _check_unchanged(file, stat)

    prefix = f".{os.path.basename(file.path)}.holdall-"
    replace_file(file.path, lambda new: new.write(content), prefix=prefix, finish=finish)


def _check_unchanged(file: ScriptFile, stat: os.stat_result) -> None:
    now = os.stat(file.path)
    if (now.st_ino, now.st_size, now.st_mtime_ns) != (stat.st_ino, stat.st_size, stat.st_mtime_ns):
        raise StoreUnavailableError(errno.EAGAIN, "somebody edits the script at this moment", file.path)


@atexit.register
def _at_exit() -> None:
    """Tidy up the scripts that this process has written, so that people can read them."""
    for file in open_files():
        if not file.wrote or file.records.garbage <= _AT_EXIT or not os.path.exists(file.path):
            continue
        try:
            with file.lock(_PATIENCE_AT_EXIT):
                tidy(file, _AT_EXIT)
        except (HoldallError, OSError):
            continue  # the data are stored anyway
