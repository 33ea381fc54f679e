"""Tokens of writes, which show a writer whether a write happened when its answer was lost.

Each write adds its own token to the metadata of the object, behind those of earlier writes. A writer whose
request was repeated, or not answered, looks for its token there. The method is that of a log of the last
writers; a single token is not enough, since others continue to write.
"""

import base64
import os
import re
from collections import OrderedDict

from holdall._posix.fork import new_lock

__all__ = ["FIELD", "LENGTH", "Rings", "follow", "new_token", "read_tokens", "spell_tokens"]

#: The name of the metadata field, in lower case, since servers change the case.
FIELD = "holdall"
#: How many tokens an object keeps.
LENGTH = 16
_TOKENS = re.compile(r"(?:[-\w]{22}\.)*[-\w]{22}", re.ASCII)
_REMEMBERED = 4096


def new_token() -> str:
    """Return a unique token: 128 bits in 22 characters."""
    return base64.urlsafe_b64encode(os.urandom(16))[:22].decode()


def follow(tokens: tuple[str, ...], token: str) -> tuple[str, ...]:
    """Return the tokens of an object after one more write."""
    return (*tokens, token)[-LENGTH:]


def spell_tokens(tokens: tuple[str, ...]) -> str:
    """Return tokens as the value of a metadata field; at most 367 characters."""
    return ".".join(tokens)


def read_tokens(text: str | None) -> tuple[str, ...]:
    """Return the tokens in a metadata field; none if holdall did not write it."""
    return tuple(text.split(".")) if text and _TOKENS.fullmatch(text) else ()


class Rings:
    """Remember the tokens of the states seen last, so that a swap needs no look before it.

    Threads: safe, also after a fork. Memory: at most some thousand states.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[str, tuple[str, tuple[str, ...]]] = OrderedDict()
        self._lock = new_lock()

    def remember(self, key: str, etag: str, tokens: tuple[str, ...]) -> None:
        """Remember the tokens of a state."""
        with self._lock:
            self._seen[key] = etag, tokens
            self._seen.move_to_end(key)
            if len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)

    def forget(self, key: str) -> None:
        """Forget a state that is gone."""
        with self._lock:
            self._seen.pop(key, None)

    def last(self, key: str) -> str | None:
        """Return the etag seen last; None if there is none."""
        seen = self._seen.get(key)
        return None if seen is None else seen[0]

    def recall(self, key: str, etag: str) -> tuple[str, ...] | None:
        """Return the tokens of a state; None if it is not the one seen last."""
        seen = self._seen.get(key)
        return seen[1] if seen is not None and seen[0] == etag else None
