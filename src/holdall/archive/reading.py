"""`load`: read an archive without running, importing or trusting it."""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from typing import Any

from holdall.archive import prelude
from holdall.archive._allowed import Allowed
from holdall.archive._arrays import Arrays
from holdall.archive._evaluate import Evaluator
from holdall.archive._files import translating
from holdall.archive._info import LOG_NAME, InfoLog
from holdall.archive._lines import Line, logical_lines
from holdall.archive._making import Helper
from holdall.archive._package import AGAIN, is_data_set
from holdall.errors import CorruptValueError, MismatchError, SerializationError

__all__ = ["load", "loads"]

# Among the first comments, an archive of another format than 1 says so.
_FORMAT = re.compile(r"(?:#[^\n]*\n){0,20}?# holdall archive (\d+)\b")
_LAZY = re.compile(r"def (_lazy_[0-9]+)\(\):")
_SCOPED = re.compile(r"[(\w\s,)]+ = _scope\(\)")
_SINGLE = re.compile(r"_name\.modules\[__name__\] = (\w+)")
_EXPLAIN = re.compile(r"raise _explain\(_problem, \{.*\}\) from _problem", re.DOTALL)


def _normal(text: str, indent: int = 0) -> str:
    """Return a fixed block in the form that is compared: without indentation, and blanks that tools strip."""
    return "\n".join(line[indent:].rstrip() for line in text.splitlines() if line.strip())


# The definition in each fixed block of the prelude; "" if it has none.
_FIXED = {_normal(text): name for name, text in prelude.HELPERS.items()}
_FIXED |= {_normal(text): f"_Arrays {name}" for name, text in prelude.ARRAYS.items()}
_FIXED[_normal(prelude.EXPLAIN)] = "_explain"
for _block in (
    AGAIN,
    prelude.FORGET,
    *re.split(r"\n\n\n", prelude.LAZY),
    "try: del __builtins__, _arrays",
    "except NameError: pass",
):
    _FIXED[_normal(_block)] = ""


class _Lines:
    """Logical lines, with a look at the next one."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._lines: Iterator[Line] = logical_lines(text)
        self.next: Line | None = next(self._lines, None)

    def take(self) -> Line:
        """Return the next line, and advance."""
        line = self.next
        if line is None:
            raise CorruptValueError("the text ends in the middle of a block: was the file cut short?")
        self.next = next(self._lines, None)
        return line

    def take_block(self, head: Line) -> str:
        """Return the text of a compound statement whose head was taken."""
        end = head.end
        while self.next is not None and self.next.indent > head.indent:
            end = self.take().end
        return self.text[head.start : end]


class _Archive:
    """One text, as far as it was read."""

    def __init__(self, text: str, evaluator: Evaluator, location: str, *, mmap: bool) -> None:
        self.lines = _Lines(text)
        self.evaluator = evaluator
        self.names = evaluator.names
        self.location = location
        self.mmap = mmap
        self.single: str | None = None
        self._lazy: dict[str, dict[str, Any]] = {}
        self._arrays = ""  # the format of the arrays

    def read(self) -> dict[str, Any]:
        """Read all of it, and return the values by name."""
        self._run(0)
        if self.lines.next is not None:
            raise CorruptValueError(f"line {self.lines.next.number}: an indentation that no archive has")
        values = self.names
        table = values.pop("_lazy", {})
        for name, made in table.items():
            values[name] = self._lazy[made][name]
        listed = values.pop("__all__", None)
        if listed is None:
            return {
                name: self.evaluator.resolved(value) for name, value in values.items() if _is_value(value)
            }
        missing = [name for name in listed if name not in values]
        if missing:
            raise CorruptValueError(
                f"the text makes no {missing[0]!r}, which it lists: was the file cut short?"
            )
        if not all(_is_value(values[name]) for name in listed):
            raise CorruptValueError("the text lists a name that is not a value")
        return {name: self.evaluator.resolved(values[name]) for name in listed}

    def _run(self, indent: int) -> Any:
        """Evaluate the lines of a block; return its return statement, if there is one."""
        while (line := self.lines.next) is not None and line.indent >= indent:
            if line.indent > indent:
                raise CorruptValueError(f"line {line.number}: an indentation that no archive has")
            self.lines.take()
            if line.text.endswith(":") or line.text.startswith(("try:", "except ")):
                returned = self._compound(line)
                if returned is not None:
                    return returned
            elif not self._fixed(line):
                statement = self.evaluator.run(line)
                if type(statement).__name__ == "Return":
                    return statement
        return None

    def _fixed(self, line: Line) -> bool:
        """Evaluate a statement that only the frame of an archive has, if it is one."""
        text = line.text
        name = _FIXED_IMPORTS.get(text)
        if name is not None:
            self.names[name] = Helper(name)
            return True
        if text in _NOTHING or _SCOPED.fullmatch(text):
            return True
        single = _SINGLE.fullmatch(text)
        if single:
            self.single = single[1]
            return True
        if self._arrays and " = _Arrays(" in text.partition("\n")[0]:
            self._open_arrays(line)
            return True
        return False

    def _open_arrays(self, line: Line) -> None:
        name, _, call = line.text.partition(" = ")
        probe = line._replace(text=f"{name} = ({call.removeprefix('_Arrays(').removesuffix(')')})")
        self.evaluator.run(probe)
        try:
            where, _ = self.names[name]
            self.names[name] = Arrays(self.location, self._arrays, where, self.mmap)
        except (TypeError, ValueError) as error:
            raise CorruptValueError(f"line {line.number}: {error}") from error

    def _compound(self, head: Line) -> Any:
        """Evaluate a compound statement: one of the frame, or a fixed block."""
        if head.text == "try:":
            returned = self._run(self._inner(head))
            end, last = self.lines.take(), self.lines.take()
            explained = end.text == "except Exception as _problem:" and _EXPLAIN.fullmatch(last.text)
            again = (end.text, last.text) == (
                "except (OSError, ImportError) as _problem:",
                "_again(_problem)",
            )
            if (
                not (explained or again)
                or last.blocks
                or end.indent != head.indent
                or last.indent <= end.indent
            ):
                raise CorruptValueError(f"line {end.number}: {end.text[:60]!r} is not how archives end a try")
            return returned
        lazy = _LAZY.fullmatch(head.text)
        if lazy or head.text == "def _scope():":
            self._function(head, lazy[1] if lazy else None)
            return None
        name = _FIXED.get(_normal(self.lines.take_block(head), head.indent))
        if name is None:
            raise SerializationError(
                f"line {head.number}: {head.text[:80]!r} is in no archive that holdall writes"
            )
        if name.startswith("_Arrays"):
            self._arrays = name.partition(" ")[2]
        elif name:
            self.names[name] = Helper(name)
        return None

    def _function(self, head: Line, lazy: str | None) -> None:
        """Evaluate the body of a function with local names."""
        before = dict(self.names)
        statement = self._run(self._inner(head))
        if statement is None or statement.value is None:
            raise CorruptValueError(
                f"line {head.number}: {head.text} returns nothing: was the file cut short?"
            )
        if lazy:
            self._lazy[lazy] = dict(self.evaluator.value(statement.value))
        else:
            before |= {part.id: self.names[part.id] for part in statement.value.elts}
        self.names.clear()
        self.names.update(before)
        if lazy:
            self.names[lazy] = lazy

    def _inner(self, head: Line) -> int:
        if self.lines.next is None or self.lines.next.indent <= head.indent:
            raise CorruptValueError(f"line {head.number}: nothing is in {head.text}")
        return self.lines.next.indent


_FIXED_IMPORTS = {
    prelude.HELPERS[name].strip(): name for name in ("_new", "_new_ex")
}  # fmt: skip

_NOTHING = frozenset({prelude.GLOBALS.strip(), "import sys as _name"})


def _is_value(value: Any) -> bool:
    return not isinstance(value, Helper | Arrays)


def load(
    path: Any,
    *,
    allow: Iterable[Any] = (),
    mmap: bool = False,
    max_size: int = 1 << 26,
    max_items: int = 20_000_000,
) -> dict[str, Any]:
    """Read an archive without running, importing or trusting it.

    The text is evaluated statement by statement. It may use types and functions of the standard library and
    of numpy on a list, and call them with harmless arguments. Everything else is refused.

    Parameters
    ----------
    path
        A module that `Archive` wrote, the folder of such a package, or a `DataSet`, for all its items.
    allow
        Classes and functions of your own that the archive may use: loading can then do whatever they do.
    mmap
        Whether to map arrays in npy files into memory instead of reading them: changes stay in memory.
    max_size
        Maximal bytes of text.
    max_items
        Maximal number of values, parts of others counted.

    Returns
    -------
    dict
        The values, by name.

    Raises
    ------
    SerializationError
        If the archive names something that is not on the list, or exceeds a limit.
    CorruptValueError
        If the text is not an archive, or a file of its arrays is missing.
    MismatchError
        If a later version of holdall wrote it, in another format.
    StoreNotFoundError
        If there is nothing at the path.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "harmless.py")
    >>> _ = path.write_text("x = [1, 2.5, 'text']")
    >>> load(path)
    {'x': [1, 2.5, 'text']}
    >>> _ = path.write_text("import os; x = os.system('ls')")
    >>> load(path)
    Traceback (most recent call last):
    ...
    holdall.errors.CorruptValueError: ... one statement stands in a line of archives, not 2
    """
    path = os.fspath(path)
    options = {"allow": tuple(allow), "mmap": mmap, "max_items": max_items}
    if is_data_set(path):
        names = InfoLog(os.path.join(path, LOG_NAME))
        names.refresh()
        found = {name: os.path.join(path, f"{name}.py") for name in names}
        items = {name: file for name, file in found.items() if os.path.exists(file)}
        return {name: _load(file, max_size, options)[name] for name, file in items.items()}
    if os.path.isdir(path):
        path = os.path.join(path, "__init__.py")
    return _load(path, max_size, options)


def _load(path: str, max_size: int, options: dict[str, Any]) -> dict[str, Any]:
    """Read a module."""
    with translating(path, "the archive cannot be read"):
        if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would be waited for
            raise CorruptValueError(f"{path} is no file, so no archive")
        with open(path, "rb") as file:
            data = file.read(max_size + 1)
    if len(data) > max_size:
        raise SerializationError(
            f"{path} has more than {max_size} bytes: raise max_size if you trust who wrote it"
        )
    try:
        return loads(data, location=os.path.dirname(path), **options)
    except (SerializationError, MismatchError) as error:
        raise type(error)(f"{path}: {error}") from error


def loads(
    text: str | bytes,
    *,
    location: str = ".",
    allow: Iterable[Any] = (),
    mmap: bool = False,
    max_items: int = 20_000_000,
) -> dict[str, Any]:
    """Read the text of an archive, as `load` does.

    Parameters
    ----------
    text
        The text, or its bytes in UTF-8.
    location
        The folder of the arrays beside the text.
    allow, mmap, max_items
        As for `load`.

    Raises
    ------
    SerializationError
        If it names something that is not on the list; `CorruptValueError` if it is not an archive.

    Examples
    --------
    >>> loads("x = {'a': (1, 2)}")
    {'x': {'a': (1, 2)}}
    """
    evaluator = Evaluator(Allowed(allow), max_items)
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8-sig")
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        _check_format(text)
        return _Archive(text, evaluator, location, mmap=mmap).read()
    except (SerializationError, MismatchError):
        raise
    except MemoryError as error:
        raise SerializationError("the archive needs more memory than there is") from error
    except RecursionError as error:
        raise SerializationError("the archive is nested deeper than those of holdall are") from error
    except Exception as error:
        raise CorruptValueError(f"the text is no archive: {type(error).__name__}: {error}") from error


def _check_format(text: str) -> None:
    """Raise `MismatchError` if the text says that it has a later format."""
    found = _FORMAT.match(text)
    if found is not None and int(found[1]) != 1:
        raise MismatchError(
            f"the archive has format {found[1]}, this version of holdall reads 1: update holdall"
        )
