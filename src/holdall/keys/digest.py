"""Short names that cannot be read back."""

import re
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from holdall._shown import shown
from holdall.abc import KeyCodec
from holdall.errors import InvalidArgumentError, InvalidKeyError, UnsupportedError
from holdall.keys._value import FrozenCodec
from holdall.keys.literal import AnyKeys


class Digest(FrozenCodec[Any]):
    """Short names of one length that cannot be read back: for keys that are looked up, never listed.

    Parameters
    ----------
    inner
        The codec whose ids are digested; `AnyKeys` if omitted.
    size
        Bytes of the digest, 1 to 64; ids are twice as long. With 16 or more, two keys never share one in
        practice.

    Notes
    -----
    Threads and processes: immutable, and the same in every process. Cost: 1 to 2 µs.

    Examples
    --------
    >>> Digest(size=8).encode(("f", 1))
    'bc22da257276da8c'
    """

    reversible = False
    inner: KeyCodec[Any]
    size: int
    _digest: Callable[[str], Any]

    def __init__(self, inner: KeyCodec[Any] | None = None, *, size: int = 20) -> None:
        if inner is not None and not isinstance(inner, KeyCodec):
            raise InvalidArgumentError(f"Digest takes a key codec, as AnyKeys(), got {shown(inner)}")
        if type(size) is not int or not 1 <= size <= 64:
            raise InvalidArgumentError(f"size of a digest is an int from 1 to 64 bytes, got {shown(size)}")
        default = AnyKeys()
        inner = default if inner is None else inner
        self._freeze(
            *(() if inner == default else (inner,)),
            options={} if size == 20 else {"size": size},
            inner=inner,
            size=size,
            _digest=re.compile(rf"[0-9a-f]{{{2 * size}}}").fullmatch,
        )

    def encode(self, key: Any) -> str:  # docstring inherited
        id = self.inner.encode(key)
        if not isinstance(id, str):
            raise InvalidKeyError(
                f"only text can be digested, {self.inner!r} gave {type(id).__name__} for {shown(key)}: "
                "use Digest(AnyKeys())",
            )
        return blake2b(id.encode("utf-8", "surrogatepass"), digest_size=self.size).hexdigest()

    def decode(self, id: str) -> Any:
        """Raise: a digest cannot be decoded."""
        raise UnsupportedError(
            f"one-way keys cannot be listed: {shown(id)} does not tell its key; "
            "use AnyKeys() or PathKeys() to list keys",
        )

    def owns(self, id: Any) -> bool:
        """Return whether the id looks like such a digest."""
        return isinstance(id, str) and self._digest(id) is not None
