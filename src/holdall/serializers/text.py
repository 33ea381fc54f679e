"""Text, in any encoding, with its line ends unchanged."""

import codecs

from holdall.errors import CorruptValueError, InvalidArgumentError, SerializationError
from holdall.serializers import OptionSerializer
from holdall.serializers._document import decoded, encoded, if_encoded_otherwise

__all__ = ["TextSerializer"]


class TextSerializer(OptionSerializer[str]):
    r"""Text. Loading never runs code.

    Parameters
    ----------
    encoding
        Any text encoding that Python knows.
    errors
        What to do with text that the encoding lacks, as for ``str.encode``. All but ``"strict"`` may lose
        characters.
    newline
        None leaves line ends as they are. ``"\n"`` or ``"\r\n"`` writes every line end (``\n``, ``\r\n``
        or ``\r``) that way, and reads every line end as ``\n``.

    Notes
    -----
    Reading removes a byte order mark at the beginning of a file; a text that begins with that character is
    written with two of them.

    Examples
    --------
    >>> TextSerializer().dumps("naïve\r\n")
    b'na\xc3\xafve\r\n'
    >>> TextSerializer(newline="\r\n").dumps("a\nb")
    b'a\r\nb'
    """

    name = "text"
    suffix = ".txt"
    options = ("encoding", "errors", "newline")

    def __init__(
        self, *, encoding: str = "utf-8", errors: str = "strict", newline: str | None = None
    ) -> None:
        try:
            "a".encode(encoding)
            codecs.lookup_error(errors)
        except (LookupError, TypeError, ValueError) as error:
            raise InvalidArgumentError(
                f"encoding={encoding!r}, errors={errors!r}: Python knows no such text encoding ({error})",
            ) from error
        if newline not in (None, "\n", "\r\n"):
            raise InvalidArgumentError(rf"newline is None, '\n' or '\r\n', got {newline!r}")
        self.encoding = encoding
        self.errors = errors
        self.newline = newline

    def dumps(self, value: str) -> bytes:  # docstring inherited
        if not isinstance(value, str):
            raise SerializationError(
                f"serializer 'text' keeps str, got {type(value).__name__}: "
                "convert it with str(value), or use another serializer",
            )
        if self.newline is not None:
            value = _plain_lines(value)
            if self.newline != "\n":
                value = value.replace("\n", self.newline)
        try:
            return encoded(value, self.encoding, self.errors)
        except UnicodeEncodeError as error:
            raise SerializationError(
                f"text cannot be written in {self.encoding}: character {value[error.start]!a} at position "
                f"{error.start} ({error.reason}); use another encoding, or errors='surrogatepass'",
            ) from error
        except UnicodeError as error:  # some encodings report no position
            raise SerializationError(f"text cannot be written in {self.encoding}: {error}") from error

    def loads(self, data: bytes) -> str:  # docstring inherited
        try:
            value = decoded(data, self.encoding, self.errors)
        except UnicodeError as error:
            hint = if_encoded_otherwise(self, error)
            raise CorruptValueError(f"the data are not text in {self.encoding}: {error}{hint}") from error
        return value if self.newline is None else _plain_lines(value)


def _plain_lines(value: str) -> str:
    return value.replace("\r\n", "\n").replace("\r", "\n")
