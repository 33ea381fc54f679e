"""Stores and keys on the command line."""

import argparse
import errno
import json
import os
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from holdall import addresses
from holdall._schemes import FOREIGN, WITHOUT_PLACE
from holdall.abc import NOT_MINE, Capability, KeyedSerializer
from holdall.errors import InvalidArgumentError, InvalidKeyError, StoreNotFoundError, UntrustedStoreError
from holdall.keys import AnyKeys
from holdall.store import Store

__all__ = [
    "UsageError",
    "add_address",
    "is_pattern",
    "key_of",
    "opened",
    "printable",
    "selected",
    "shown_key",
    "word_of",
]

_WILD = frozenset("*?[")
_keys = AnyKeys()


class UsageError(Exception):
    """The arguments of the command do not fit together; the status is 2."""


def add_address(
    parser: argparse.ArgumentParser, name: str = "address", metavar: str = "ADDRESS", about: str = "the store"
) -> None:
    """Add an address to the arguments of a command, with the options for opening it."""
    parser.add_argument(name, metavar=metavar, help=f"{about}: an address such as sqlite:cache.db, or a path")
    if not any(action.dest == "trust" for action in parser._actions):  # noqa: SLF001  (no public name)
        parser.add_argument(
            "--trust",
            action="store_true",
            help="load values that others could have written even if that can run code of theirs",
        )


def opened(
    address: str,
    options: argparse.Namespace,
    *,
    write: bool = False,
    make: bool = False,
    values: bool = True,
) -> Store[Any, Any]:
    """Open a store.

    Parameters
    ----------
    address
        Its address.
    options
        The options of the command line, of which ``trust`` is used.
    write
        Whether it is to be changed; otherwise it is opened read-only if possible.
    make
        Whether it is made if it does not exist.
    values
        Whether its values are to be read.

    Raises
    ------
    UsageError
        If it is not an address, or is to be changed and forgets everything at the end of the command.
    StoreNotFoundError
        If it does not exist, and must not be made.
    UntrustedStoreError
        If values are pickles that many users could have written, and they were not declared as trusted.
    """
    try:
        found = addresses.resolve(address)
        taken = addresses.options_taken(found)
        path = addresses.path_of(found)
        if write and found.scheme in WITHOUT_PLACE:  # moved there, items would be lost
            raise UsageError(f"{address} keeps nothing after the end of this command: choose another store")
        if path and not make and found.scheme not in FOREIGN and not os.path.exists(path):
            raise StoreNotFoundError(f"{path} is not there")
        more = {"read_only": True} if "read_only" in taken and not write else {}
        if options.trust and "trust" in taken:
            more["trust"] = True
        store = addresses.open(address, **more)
    except InvalidArgumentError as error:
        raise UsageError(str(error)) from error
    # Values in files are checked by the stores themselves, when they are loaded.
    if values and path is None and not options.trust and not _in_memory(store) and _runs_code(store):
        raise UntrustedStoreError(
            errno.EPERM,
            "loading its values could run code of whoever can write there: give --trust if you trust them",
            address,
        )
    return store


def _in_memory(store: Store[Any, Any]) -> bool:
    return Capability.PERSISTENT not in store.pipeline.persister.capabilities


def _runs_code(store: Store[Any, Any]) -> bool:
    serializer = store.pipeline.serializer
    if isinstance(serializer, KeyedSerializer):
        return any(map(serializer.runs_code, store.pipeline.persister.ids()))
    return serializer is not None and serializer.executes_code


# ---------------------------------------------------------------------- keys


def word_of(key: Any) -> str:
    """Return the argument for a key: text unchanged, ``!`` and a literal for others."""
    try:
        return _keys.encode(key)
    except InvalidKeyError:
        return repr(key)


def shown_key(key: Any) -> str:
    """Return a key for display: one line, without control characters."""
    return printable(word_of(key))


def printable(text: str) -> str:
    """Return text that is safe for a terminal: with quotes and escapes where needed."""
    return text if text.isprintable() else json.dumps(text)


def key_of(word: str) -> Any:
    """Return the key of an argument.

    Raises
    ------
    UsageError
        If it is not the argument of any key.
    """
    key = _keys.decode(word)
    if key is NOT_MINE:
        raise UsageError(
            f"{word!r} names no key: after '!' comes a literal, as in '!1' or \"!('x', 1)\"; "
            f"text that begins with '!' is {_keys.encode(word)!r}"
        )
    return key


def is_pattern(word: str) -> bool:
    """Return whether an argument may select several keys."""
    return not _WILD.isdisjoint(word)


def selected(store: Store[Any, Any], words: list[str]) -> Iterator[Any]:
    """Yield the keys that arguments select, each once; all keys if there are no arguments.

    Parameters
    ----------
    store
        The store.
    words
        Keys, and patterns with ``*``, ``?`` and ``[...]``. An existing key has precedence over a pattern.

    Raises
    ------
    KeyError
        If an argument selects none; before the first key is yielded.
    """
    if not words:
        yield from store
        return
    found: dict[Any, None] = {}
    patterns: dict[str, list[Any]] = {}
    for word in words:
        if is_pattern(word) and (word.startswith("!") or word not in store):
            patterns[word] = []
        else:
            key = key_of(word)
            if key not in store:
                raise KeyError(word)
            found[key] = None
    if patterns:
        for key in store:
            name = word_of(key)
            for pattern, keys in patterns.items():
                if fnmatchcase(name, pattern):
                    keys.append(key)
        for pattern, keys in patterns.items():
            if not keys:
                raise KeyError(pattern)
            found.update(dict.fromkeys(keys))
    yield from found
