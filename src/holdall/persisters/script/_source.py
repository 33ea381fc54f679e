"""The source above the data block: its end, its line ends, and whether data may follow it."""

import codecs
import io
import re
import tokenize
from _ast import PyCF_ONLY_AST  # `ast` itself is slow to import

from holdall.errors import MismatchError, UnsupportedError
from holdall.persisters.script._format import FORMAT, MARKER, MARKERS

_ASCII = bytes(range(32, 127)) + b"\n"
_TWO_LINES = re.compile(rb"[^\r\n]*(?:\r\n?|\n)?[^\r\n]*")
# Encodings in which each ASCII byte always is its character: none with escapes, such as unicode_escape, utf_7
# or hz, and none that others have registered.
_PLAIN = re.compile(
    r"ascii|utf_8(_sig)?|iso8859_\d+|latin_1|cp\d+|koi8_[rtu]|mac_\w+|euc_\w+|gb(k|2312|18030)|big5(hkscs)?"
    r"|shift_jis|tis_620|kz1048|ptcp154|hp_roman8"
)
_PYTHON = re.compile(rb"#![^\n]*python")
#: Suffixes of files with Python, and of our own beside them.
_SUFFIXES = (".py", ".pyw", ".holdall")


def find_block(source: bytes, path: str) -> int:
    """Return the offset at which the data block begins; -1 if there is none.

    A line that looks like the marker within a string of the script does not begin a block.

    Raises
    ------
    MismatchError
        If the block has a format that this version does not know.
    """
    if b"# === holdall data" not in source:
        return -1
    found = list(MARKERS.finditer(source))
    if not found:
        return -1
    rest = source[found[0].end() :]
    # A string that contains the line must end after it. Records have no three quotes in a row.
    if b'"""' in rest or b"'''" in rest:
        comments = _comment_lines(source)
        found = [match for match in found if source.count(b"\n", 0, match.start()) + 1 in comments]
        if not found:
            return -1
    for match in found:
        if int(match[1]) != FORMAT:
            raise MismatchError(
                f"the data in {path} have format {int(match[1])}, this version of holdall knows {FORMAT}: "
                "use a newer one",
            )
    return found[0].start()


def code_of(source: bytes, path: str) -> bytes:
    """Return the program above the data of a script.

    Parameters
    ----------
    source
        The whole script.
    path
        Its name, for messages.
    """
    begin = find_block(source, path)
    return source if begin < 0 else source[:begin]


def _comment_lines(source: bytes) -> set[int]:
    """Return the numbers of the lines that begin with a comment."""
    numbers: set[int] = set()
    try:
        for token in tokenize.tokenize(io.BytesIO(source).readline):
            if token.type == tokenize.COMMENT and token.start[1] == 0:
                numbers.add(token.start[0])
    except (tokenize.TokenError, SyntaxError):
        pass  # not valid Python, at least now: use what was found so far
    return numbers


def check_text(source: bytes, path: str) -> None:
    """Raise `UnsupportedError` if the file cannot have ASCII comments at its end."""
    if b"\0" in source:
        raise UnsupportedError(
            f"{path} is no Python source in an encoding that contains ASCII: give the path of a script"
        )
    # The first two lines, with all line ends that Python knows.
    head = _TWO_LINES.match(source)
    lines = re.sub(rb"\r\n?", b"\n", head[0] if head else b"")
    if b"coding" not in lines:
        return
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(lines).readline)
        name = codecs.lookup(encoding).name.replace("-", "_")
        fits = bool(_PLAIN.fullmatch(name)) and _ASCII.decode(encoding) == _ASCII.decode("ascii")
    except (SyntaxError, UnicodeError, LookupError):
        fits = False
    if not fits:
        raise UnsupportedError(
            f"{path} has an encoding in which ASCII may mean something else, so data could become code: "
            "save it as UTF-8"
        )


def check_script(source: bytes, path: str, *, runs: bool) -> None:
    """Raise `UnsupportedError` unless comments at the end of the file are Python comments."""
    if not (runs or path.endswith(_SUFFIXES) or _PYTHON.match(source) or not source):
        raise UnsupportedError(
            f"{path} is no Python script: its name does not end in .py, nor does it begin with #!python",
        )
    try:
        compile(source, path, "exec", PyCF_ONLY_AST, dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        raise UnsupportedError(
            f"{path} is no valid Python, data below it might become code: {error}"
        ) from error
    if source.rstrip(b"\r\n").endswith(b"\\"):
        raise UnsupportedError(f"{path} ends in a backslash, which would continue on the first line of data")


def newline_of(source: bytes) -> bytes:
    """Return the end of the first line, which is assumed for all."""
    end = source.find(b"\n")
    return b"\r\n" if end > 0 and source[end - 1 : end] == b"\r" else b"\n"


def new_block(source: bytes, newline: bytes) -> bytes:
    """Return the beginning of a data block at the end of a file that has none."""
    before = newline if source and not source.endswith(b"\n") else b""
    # Two lines before the first record, as the first two lines of a file may declare its encoding.
    return before + newline + MARKER + newline
