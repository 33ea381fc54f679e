"""Arguments in a key as text for humans, read from the bytes of their encoding.

Equal arguments have equal bytes, so they have equal text, whatever the order of a dict or the type of a
number was.
"""

import struct

from holdall.memo._encoder import INLINE, LARGE

__all__ = ["readable"]

_LONGEST = 120  # characters
_BRACKETS = {b"l[": "[]", b"t[": "()", b"m[": "{}", b"S[": "{}", b"M[": "{}"}
_WORDS = {b"N": "None", b"T": "True", b"F": "False"}


def readable(pairs: list[tuple[str, bytes]]) -> str:
    """Return arguments as one line of text that may be part of a name.

    Parameters
    ----------
    pairs
        Names of arguments and their encoded values.

    Examples
    --------
    >>> readable([("x", b"i7b;"), ("path", b"s3:a/b"), ("y", b"l[i1;N]")])
    "x=123, path='a_b', y=[1, None]"
    """
    text = ", ".join(f"{name}={_Text(data).all()}" for name, data in pairs)
    text = "".join(c if c.isprintable() and c != "/" else "_" for c in text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


class _Text:
    """The text of encoded values."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def all(self) -> str:
        try:
            return self.value()
        except (
            LookupError,
            ValueError,
            struct.error,
        ):  # arrays, tables, functions: only their type
            return "..."

    def take(self, count: int) -> bytes:
        self.at += count
        return self.data[self.at - count : self.at]

    def until(self, mark: bytes) -> bytes:
        piece = self.take(self.data.index(mark, self.at) - self.at)
        self.at += len(mark)
        return piece

    def text(self) -> str:
        return self.take(int(self.until(b":"))).decode("utf-8", "surrogatepass")

    def value(self) -> str:
        two = self.data[self.at : self.at + 2]
        if two in _BRACKETS:
            self.at += 2
            return self.items(_BRACKETS[two], pairs=two == b"m[")
        if two in {b"D<", b"E<"}:
            self.at += 2
            return self.parts()
        tag = self.take(1)
        if tag == b"i":
            return repr(int(self.until(b";"), 16))
        if tag == b"f":
            return repr(struct.unpack(">d", self.take(8))[0])
        if tag == b"s":
            return repr(self.text())
        if tag == b"b":
            size = int(self.until(b":"))
            data = self.take(size if size < INLINE else LARGE().digest_size)
            return repr(data) if size < INLINE else f"<{size} bytes>"
        if two[1:] == b"<":
            raise LookupError
        return _WORDS[tag]

    def items(self, brackets: str, *, pairs: bool) -> str:
        shown = []
        while self.data[self.at : self.at + 1] != b"]":
            shown.append(f"{self.value()}: {self.value()}" if pairs else self.value())
        self.at += 1
        return f"{brackets[0]}{', '.join(shown)}{brackets[1]}"

    def parts(self) -> str:
        name = self.text().rpartition(".")[2]
        if self.data[self.at : self.at + 1] == b"#":  # what makes the class
            self.take(1 + LARGE().digest_size)
        shown = []
        while self.data[self.at : self.at + 1] != b">":
            field = f"{self.text()}=" if self.data[self.at : self.at + 1].isdigit() else ""
            at_end = self.data[self.at : self.at + 1] == b">"
            shown.append(field.rstrip("=") if at_end else field + self.value())
        self.at += 1
        return f"{name}({', '.join(shown)})"
