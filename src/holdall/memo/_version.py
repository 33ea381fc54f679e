"""The version of the code that computes: a digest of a function and of what it depends on."""

import threading
import types
from hashlib import blake2b
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from holdall.memo._encoder import Encoder, Unkeyable, found_by_name
from holdall.memo._follow import Trail
from holdall.memo._home import Home
from holdall.memo._project import MAIN
from holdall.memo._source import said_by, said_by_file

__all__ = ["Code", "VersionInfo", "code_of", "digest_of", "elided"]

_SIZE = 8  # bytes: versions of one function are few
# Names that no result depends on.
_TOOLS = ("_thread.lock", "_thread.RLock", "threading.", "logging.", "_io.", "weakref.")


class VersionInfo(NamedTuple):
    """What the version of a memoized function covers."""

    #: The version, as it is part of the names of results.
    version: str
    #: Functions whose code is covered; of classes, the methods.
    functions: tuple[str, ...]
    #: Variables whose content is covered: those of closures, defaults, globals, attributes of classes.
    variables: tuple[str, ...]
    #: Modules that a function imports when it runs and that cannot be imported before: covered as a whole.
    modules: tuple[str, ...]
    #: Variables that are not covered, since the functions change them themselves.
    state: tuple[str, ...]
    #: Variables that are not covered, since their content or name is unknown, and why.
    unknown: dict[str, str]


class Code:
    """The code of a function and of what it depends on, in its state of the first look.

    Parameters
    ----------
    function
        The function.
    owner
        The class that it is a method of; None if unknown.
    whole
        Whether its name does not lead to it, so that all that it names counts, installed things by name.

    Attributes
    ----------
    version
        A digest of all code and data.
    identity
        A digest of the data in the function's closure, by which functions of one factory differ; "" without.
    """

    def __init__(self, function: Any, owner: type | None = None, *, whole: bool = False) -> None:
        self.whole = whole
        self._trail = trail = Trail(function, owner, whole=whole)
        self.unknown: dict[str, str] = {}
        self.opaque: dict[str, str] = {}  # variables of unknown content that a result may depend on
        self.untold: dict[str, str] = {}  # variables by which functions of one factory may differ
        pieces = [_apart("code", title, _text(function)) for title, function in trail.codes]
        for name, path in trail.modules.items():
            pieces.append(_apart("module", name, said_by_file(path).text or ""))
        enclosed = [_apart("enclosed", *sorted(trail.enclosed))] if trail.enclosed else []
        for title, value in trail.values.items():
            encoder = Encoder(typed=True, whole=whole, exact=True)
            try:
                encoder.add((title, value))
            except (Unkeyable, RecursionError) as error:
                self._unknown(title, value, str(error))
                continue
            except Exception as error:  # from a method of theirs, such as __memo_key__
                self._unknown(title, value, repr(error))
                continue
            piece = b"".join(encoder.out)
            pieces.append(piece)
            if title in trail.closed:
                enclosed.append(piece)
        self.unknown.update(trail.unseen)
        self.version = _digest(pieces)
        self.identity = _digest(enclosed) if enclosed else ""

    def _unknown(self, title: str, value: Any, why: str) -> None:
        self.unknown[title] = why
        name = f"{type(value).__module__}.{type(value).__qualname__}"
        if not name.startswith(_TOOLS):
            self.opaque[title] = why
            if title in self._trail.closed:
                self.untold[title] = why

    def changed(self) -> bool:
        """Return whether code or variables have changed, by a quick look."""
        return self._trail.changed()

    def info(self, version: str) -> VersionInfo:
        """Return what is covered."""
        trail = self._trail
        known = tuple(sorted(title for title in trail.values if title not in self.unknown))
        return VersionInfo(
            version,
            tuple(sorted({title for title, _ in trail.codes})),
            known,
            tuple(sorted(trail.modules)),
            tuple(sorted(trail.state)),
            dict(sorted(self.unknown.items())),
        )


def _digest(pieces: list[bytes]) -> str:
    digest = blake2b(digest_size=_SIZE)
    for piece in sorted(pieces):
        digest.update(b"%d:" % len(piece))
        digest.update(piece)
    return digest.hexdigest()


def _apart(*texts: str) -> bytes:
    encoder = Encoder(typed=True)
    for text in texts:
        encoder.text(text)
    return b"".join(encoder.out)


def _text(function: Any) -> str:
    code = function.__code__
    text = said_by(code, function.__globals__).text
    if text is None:  # of a session or exec, a lambda, or edited since
        encoder = Encoder(typed=True)
        code_of(code, encoder)
        text = b"".join(encoder.out).decode("latin-1")
    return text


def code_of(code: types.CodeType, e: Encoder) -> None:
    """Encode what a code object does; the same within one version of Python."""
    e.open(b"C", code.co_name)
    e.add((code.co_code, code.co_names, code.co_varnames, code.co_freevars, code.co_flags))
    e.add((code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_exceptiontable))
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            code_of(constant, e)
        else:
            e.add(constant)
    e.close()


_known: WeakKeyDictionary[Any, Code] = WeakKeyDictionary()
_running = threading.local()


def digest_of(thing: Any, *, whole: bool = False) -> str:
    """Return a digest of a function or class that is an argument.

    It is "" for installed ones, which their names distinguish, and for itself within itself.

    Parameters
    ----------
    thing
        The function or class.
    whole
        Whether its name does not lead to it.

    Raises
    ------
    Unkeyable
        If its closure contains something of unknown content.
    """
    try:
        code = _known.get(thing)
    except TypeError:  # a class that is not hashable
        return Code(thing, whole=whole).version
    if code is None or code.whole is not whole or code.changed():
        if not whole and _is_installed(thing):
            return ""
        busy = _running.__dict__.setdefault("things", set())
        if id(thing) in busy:
            elided()
            return ""
        busy.add(id(thing))
        try:
            before = _running.__dict__.get("elided", 0)
            code = Code(thing, whole=whole)
            # What was encoded within itself is not complete elsewhere.
            if not whole or _running.__dict__.get("elided", 0) == before:
                _known[thing] = code
        finally:
            busy.discard(id(thing))
    # Without a name, it is only its code, which must be known completely.
    doubts = code.opaque if whole or "<" in thing.__qualname__ else code.untold
    if doubts:
        title, why = next(iter(doubts.items()))
        raise Unkeyable(f"{title} is not known: {why}")
    return code.version


def elided() -> None:
    """Note that a thing within itself was not encoded again."""
    _running.elided = _running.__dict__.get("elided", 0) + 1


def _is_installed(thing: Any) -> bool:
    """Return whether something is found by its name in a module that is not part of a project."""
    return Home(thing).root is None and thing.__module__ not in MAIN and found_by_name(thing) is thing
