"""Ids and versions as SQLite keeps them."""

from typing import Any

from holdall.conditional import Stat


def as_id(id: Any) -> str | bytes | None:
    """Return an id as it is bound to a statement; None, which equals nothing, for an invalid id."""
    if not isinstance(id, str):
        return None
    if id.isascii():  # nearly always
        return id
    try:
        id.encode()
    except UnicodeEncodeError:  # lone surrogates: such text is stored as bytes
        return id.encode("utf-8", "surrogatepass")
    return id


def as_text(id: str | bytes) -> str:
    """Return an id as it came from a statement."""
    return id if type(id) is str else id.decode("utf-8", "surrogatepass")  # type: ignore[union-attr]


def spans(prefix: str) -> list[tuple[str | bytes, str | bytes]]:
    """Return the ranges that contain all ids with a prefix: first and end, in SQLite's order."""
    raw = prefix.encode("utf-8", "surrogatepass")
    in_bytes = (raw, raw[:-1] + bytes([raw[-1] + 1]))
    if isinstance(as_id(prefix), bytes):
        return [in_bytes]
    rest = prefix.rstrip("\U0010ffff")
    if not rest:
        return [(prefix, b""), in_bytes]  # bytes sort after text
    following = ord(rest[-1]) + 1
    following = 0xE000 if following == 0xD800 else following
    return [(prefix, rest[:-1] + chr(following)), in_bytes]


def stat_of(version: int, size: int) -> Stat:
    """Return the stat of an item: its version is the time of its last write, in nanoseconds."""
    return Stat(str(version), version / 1e9, size)


def version_of(etag: Any) -> int:
    """Return the version of an etag; one that no item has if the etag is not ours."""
    if isinstance(etag, str) and etag.isascii() and etag.isdigit() and len(etag) < 20:
        version = int(etag)
        if str(version) == etag and version < 1 << 63:
            return version
    return -1
