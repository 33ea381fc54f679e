"""Listing the keys of a Redis server by SCAN, each once."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import redis

__all__ = ["key_pages"]

_COUNT: Final = 1000  # keys that the server looks at for a page


def key_pages(ask: Callable[[str, Callable[[Any], Any]], Any], start: bytes) -> Iterator[list[bytes]]:
    """Yield pages of the keys that start with some bytes.

    Parameters
    ----------
    ask
        Sends a command; called with what fails, for the message, and a function of the client.
    start
        The bytes.
    """
    pattern = b"".join(b"\\" + bytes([byte]) if byte in b"*?[]\\" else bytes([byte]) for byte in start)
    met: set[int] = set()  # hashes of keys: SCAN repeats some when the server resizes its table
    cursor = 0
    while True:
        scan = partial(redis.Redis.scan, cursor=cursor, match=pattern + b"*", count=_COUNT)
        cursor, keys = ask("the keys cannot be listed", scan)
        new = set(map(hash, keys))
        if len(new) < len(keys) or not met.isdisjoint(new):
            keys = list(dict.fromkeys(key for key in keys if hash(key) not in met))
        met |= new
        if keys:
            yield keys
        if not cursor:
            return
