"""Stores by address: one line of text with the location of a store and its options.

An address is ``scheme:place``, with options after ``?`` and the name of a part, such as a table, after ``#``:
``dir:results?serializer=json``, ``sqlite:cache.db#items``, ``s3://bucket/prefix``. In a place, ``%3F`` and
``%23`` are ``?`` and ``#``. The scheme of a path alone is chosen by its end: ``.db`` is SQLite, ``.zip`` an
archive, and so on; anything else is a folder. ``my:name`` is an address named in the user's own file.

Other packages add schemes by entry points of the group ``holdall.addresses``: the name is the scheme, the
object a function that takes an `Address` and returns a store.
"""

import os
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import parse_qsl, unquote, urlencode

from holdall._options import options_of, places_taken, refuse_text, unknown_option
from holdall._schemes import CLASSES, LOCAL, MONGO, PARTS, REDIS, SQL, WITHOUT_PLACE, scheme_of
from holdall._shown import shown
from holdall.errors import (
    InvalidArgumentError,
    StoreNotFoundError,
    StoreUnavailableError,
    UnsupportedError,
)
from holdall.store import Store

__all__ = [
    "Address",
    "Opener",
    "named_addresses",
    "open",
    "options_taken",
    "path_of",
    "register_scheme",
    "resolve",
    "schemes",
]


class Address(NamedTuple):
    """An address in its parts.

    Parameters
    ----------
    scheme
        The kind of store.
    place
        The text after the colon, without options and part.
    part
        The text after ``#``, such as a table; "" for none.
    options
        The options after ``?``, by name, with numbers and truth values converted; and those passed to `open`.
    """

    scheme: str
    place: str
    part: str
    options: dict[str, Any]


#: The function that opens the stores of a scheme.
Opener: TypeAlias = Callable[[Address], Store[Any, Any]]

_GROUP: Final = "holdall.addresses"
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]+):")  # at least two letters: "C:" is a disk
_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")
_OF_SERVERS: Final = SQL | REDIS | MONGO
_LONGEST: Final = 400  # characters of a number: Python reads no whole ones of thousands
_WORDS: Final = {"true": True, "false": False, "none": None}
_own: dict[str, Opener] = {}


def open(address: str | os.PathLike[str], /, **options: Any) -> Store[Any, Any]:
    """Open a store by its address.

    Parameters
    ----------
    address
        ``scheme:place?option=value#part``, a path, or ``my:name``; see ``holdall.addresses``.
    **options
        More options of the store, with precedence over those of the address.

    Returns
    -------
    Store
        The store, which its class makes if it does not exist.

    Raises
    ------
    InvalidArgumentError
        If there is no such scheme, or the store has no such option or refuses its value.
    StoreNotFoundError
        If the user's file has no such name.
    UnsupportedError
        If the store needs a package that is not installed.

    Examples
    --------
    >>> import holdall, os, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> store = holdall.open(f"dir:{folder}/results?serializer=json")
    >>> store["a"] = [1]
    >>> holdall.open(os.path.join(folder, "results"))["a"]
    [1]
    >>> holdall.open(f"sqlite:{folder}/cache.db#squares", serializer="json").update({"2": 4})
    >>> dict(holdall.open(f"{folder}/cache.db", table="squares"))
    {'2': 4}
    """
    found = resolve(address)
    found = found._replace(options={**found.options, **options})
    store: Any = _opener(found.scheme)(found)
    if not isinstance(store, Store):
        raise InvalidArgumentError(f"what opens {found.scheme}: gave {type(store).__name__}, and no store")
    return store


def resolve(address: str | os.PathLike[str]) -> Address:
    """Split an address, and replace ``my:name`` by the address in the user's file.

    Parameters
    ----------
    address
        The address, or a path.

    Raises
    ------
    InvalidArgumentError
        If it is not an address.
    StoreNotFoundError
        If the user's file has no such name.

    Examples
    --------
    >>> resolve("results.zip").scheme
    'zip'
    """
    found = parse(address)
    return _named(found) if found.scheme == "my" else found


def options_taken(address: Address) -> frozenset[str]:
    """Return the names of the options that the stores of an address take; none for those of other packages.

    Parameters
    ----------
    address
        The result of `resolve`.

    Examples
    --------
    >>> "read_only" in options_taken(resolve("dir:results"))
    True
    """
    from inspect import signature  # noqa: PLC0415  (only for the command line)

    scheme = address.scheme
    return frozenset(signature(_class(scheme)).parameters if scheme in CLASSES else ())


def path_of(address: Address) -> str | None:
    """Return the path of the file or folder of an address; None for other addresses.

    Parameters
    ----------
    address
        The result of `resolve`.

    Examples
    --------
    >>> path_of(resolve("sqlite:cache.db#items")), path_of(resolve("memory:"))
    ('cache.db', None)
    """
    return os.path.expanduser(address.place) if address.scheme in LOCAL else None


def parse(address: str | os.PathLike[str]) -> Address:
    """Split an address.

    Parameters
    ----------
    address
        The address, or a path.

    Raises
    ------
    InvalidArgumentError
        If it is not an address.

    Examples
    --------
    >>> parse("sqlite:cache.db?read_only=true&timeout=5#items")
    Address(scheme='sqlite', place='cache.db', part='items', options={'read_only': True, 'timeout': 5})
    >>> parse("notes.zip").scheme
    'zip'
    """
    if isinstance(address, os.PathLike):
        path = os.fspath(address)
        return Address(scheme_of(path), path, "", {})
    given: Any = address
    if not isinstance(given, str) or not given:
        raise InvalidArgumentError(
            f"an address is text such as 'dir:results' or 'sqlite:cache.db', or a path, got {shown(given)}"
        )
    start = _SCHEME.match(given)
    if start is None:
        return Address(scheme_of(given), given, "", {})
    rest, _, part = given[start.end() :].partition("#")
    rest, _, query = rest.partition("?")
    options = {name: _value(text) for name, text in parse_qsl(query, keep_blank_values=True)}
    scheme = start[1].lower()
    # A URL of a server goes on to its driver, which knows what is quoted in it, as in a password.
    return Address(scheme, rest if scheme in _OF_SERVERS else unquote(rest), unquote(part), options)


def register_scheme(scheme: str, opener: Opener) -> None:
    """Register a scheme in this process.

    Parameters
    ----------
    scheme
        The word before the colon, of two letters or more.
    opener
        Takes an `Address` and returns a store.

    Raises
    ------
    InvalidArgumentError
        If it is not such a word, or is already registered; if `opener` is no function.

    Examples
    --------
    >>> from holdall import MemoryStore
    >>> register_scheme("squares", lambda address: MemoryStore({n: n * n for n in range(int(address.place))}))
    >>> open("squares:4")[3]
    9
    """
    given: Any = scheme
    if not isinstance(given, str) or _SCHEME.fullmatch(given + ":") is None or given != given.lower():
        raise InvalidArgumentError(f"a scheme is a word of two small letters or more, got {shown(scheme)}")
    if not callable(opener):
        raise InvalidArgumentError(f"an opener is a function from an Address to a store, got {shown(opener)}")
    if scheme in schemes() and _own.get(scheme) is not opener:
        raise InvalidArgumentError(f"the scheme {scheme!r} is registered already: choose another word")
    _own[scheme] = opener


def schemes() -> list[str]:
    """Return all known schemes, sorted.

    Examples
    --------
    >>> "sqlite" in schemes()
    True
    """
    return sorted({*CLASSES, "my", *_own, *_installed()})


def named_addresses() -> dict[str, str]:
    """Return the addresses of the user's own file, by name.

    The environment variable ``HOLDALL_STORES`` names the file; the default is ``stores.toml`` in the user's
    configuration folder of holdall. Each line is ``name = "address"``. Names of anything else are left out;
    `open` says what is wrong with them.

    Raises
    ------
    InvalidArgumentError
        If the file is not TOML.
    """
    return {name: address for name, address in _users_names().items() if isinstance(address, str)}


# ---------------------------------------------------------------------- pieces


def _users_names() -> dict[str, Any]:
    import tomllib  # noqa: PLC0415  (only with such a file)

    path = _users_file()
    try:
        return tomllib.loads(Path(path).read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeError) as error:
        raise InvalidArgumentError(f"{path} is no TOML: {error}") from error
    except OSError as error:
        raise StoreUnavailableError(
            error.errno or 0, f"names of stores cannot be read: {error}", path
        ) from error


def _value(text: str) -> Any:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if len(text) < _LONGEST and _NUMBER.fullmatch(text):
        return int(text) if text.lstrip("+-").isdigit() else float(text)
    return text


def _text(value: Any) -> str:
    """Return what a value was in an address."""
    return next((word for word, meaning in _WORDS.items() if meaning is value), str(value))


def _named(found: Address) -> Address:
    names = _users_names()
    if found.place not in names:
        known = f"it names {', '.join(sorted(names))}; " if names else ""
        line = f'{found.place or "name"} = "dir:results"'
        raise StoreNotFoundError(
            2,
            f"your file of stores has no {found.place!r}: {known}add a line such as {line:.80}",
            _users_file(),
        )
    address = names[found.place]
    if not isinstance(address, str) or not address:
        raise InvalidArgumentError(
            f"{_users_file()}: {found.place} must be an address as text, got {shown(address)}"
        )
    inner = parse(os.path.expanduser(address))
    if inner.scheme == "my":
        raise InvalidArgumentError(f"{_users_file()}: {found.place} must be an address, not another name")
    return inner._replace(part=found.part or inner.part, options={**inner.options, **found.options})


def _users_file() -> str:
    path = os.environ.get("HOLDALL_STORES")
    if path:
        return path
    try:
        from platformdirs import user_config_dir  # noqa: PLC0415  (an extra)
    except ImportError as error:
        raise UnsupportedError(
            "names of stores need the package platformdirs (pip install 'holdall[cli]'), or the environment "
            "variable HOLDALL_STORES with the path of a TOML file"
        ) from error
    return os.path.join(user_config_dir("holdall"), "stores.toml")


def _opener(scheme: str) -> Opener:
    if scheme in CLASSES:
        return _open_ours
    if scheme in _own:
        return _own[scheme]
    installed = _installed()
    if scheme in installed:
        return _loaded(installed[scheme])
    from difflib import get_close_matches  # noqa: PLC0415  (only needed for this message)

    close = get_close_matches(scheme, schemes(), 1)
    hint = f", did you mean {close[0]!r}?" if close else ":"
    raise InvalidArgumentError(
        f"no kind of store is called {scheme!r}{hint} there are {', '.join(schemes())}; "
        "a path with a colon is written as 'dir:' and the path",
    )


def _loaded(entry: Any) -> Opener:
    """Load what another package has registered: whatever happens there is no fault of the address."""
    try:
        opener: Opener = entry.load()
    except Exception as error:
        package = f"the package {entry.dist.name}" if entry.dist else "the module"
        raise UnsupportedError(
            f"{package} that opens {entry.name}: cannot be loaded ({entry.value}): "
            f"{type(error).__name__}: {error}"
        ) from error
    return opener


def _installed() -> dict[str, Any]:
    from importlib.metadata import entry_points  # noqa: PLC0415  (slow to import, rarely needed)

    return {entry.name: entry for entry in entry_points(group=_GROUP)}


def _class(scheme: str) -> Any:
    """Return the class, or function, that opens the stores of a scheme of holdall."""
    module, _, name = CLASSES[scheme].partition(":")
    return getattr(import_module(module), name)


def _open_ours(address: Address) -> Store[Any, Any]:
    scheme, place, part, options = address
    if scheme in WITHOUT_PLACE:
        if place or part:
            raise InvalidArgumentError(f"{scheme}: lies nowhere, got {shown(place or part)}")
        return _made(scheme, (), options)
    if part:
        if scheme not in PARTS:
            raise InvalidArgumentError(f"{scheme}: has no parts, got #{part:.80}")
        options = {PARTS[scheme]: part, **options}
    if scheme in LOCAL:
        if not place:
            raise InvalidArgumentError(f"{scheme}: needs a path, as in '{scheme}:path'")
        place = os.path.expanduser(place)
    elif scheme == "s3":
        place, _, prefix = place.removeprefix("//").partition("/")
        if not place:
            raise InvalidArgumentError("an address of S3 is 's3://bucket/prefix'")
        options = {"prefix": prefix, **options} if prefix else options
    elif scheme != "fsspec":
        place = f"{scheme}:{place}"
    if scheme in SQL:
        # What is none of ours is the driver's, as in its own URLs; it says what it does not know.
        known = _options_of(_class(scheme)) or frozenset()
        query = urlencode({name: _text(value) for name, value in options.items() if name not in known})
        place += f"{query and '?'}{query}"
        options = {name: value for name, value in options.items() if name in known}
    elif isinstance(options.get("key_fields"), str):  # of MongoDB
        options = {**options, "key_fields": options["key_fields"].split(",")}
    return _made(scheme, (place,), options)


def _options_of(opener: Any) -> frozenset[str] | None:
    return options_of(getattr(opener, "__init__") if isinstance(opener, type) else opener)  # noqa: B009  (mypy)


def _made(scheme: str, places: tuple[str, ...], options: dict[str, Any]) -> Store[Any, Any]:
    opener = _class(scheme)
    known = _options_of(opener)
    places_of = places_taken(opener.__init__, len(places))
    for name in options:
        if (known is not None and name not in known) or name in places_of:
            raise unknown_option(f"{scheme}:", name, (known or frozenset()) - places_of)
    if not isinstance(opener, type):  # classes look for themselves
        refuse_text(scheme, [opener], options)
    return opener(*places, **options)  # type: ignore[no-any-return]
