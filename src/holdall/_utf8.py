"""Text of keys that servers and databases keep as bytes."""

from typing import Any

__all__ = ["decode_all"]


def decode_all(keys: list[Any]) -> list[str] | None:
    """Decode several keys at once; None where only a look at each can tell."""
    try:  # as one text: only a NUL has that byte, and keys with one are seen by the count
        texts = b"\0".join(keys).decode("utf-8", "surrogatepass").split("\0")
    except (TypeError, UnicodeDecodeError):
        return None
    return texts if len(texts) == len(keys) else None
