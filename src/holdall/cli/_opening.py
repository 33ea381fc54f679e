"""Stores and keys that the command line names."""

import argparse
import errno
import json
import os
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from holdall import addresses
from holdall._schemes import FOREIGN
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
    """The words of the command do not go together; the status is 2."""


def add_address(
    parser: argparse.ArgumentParser, name: str = "address", metavar: str = "ADDRESS", about: str = "the store"
) -> None:
    """Add an address to the words of a command, and the options of what is opened."""
    parser.add_argument(name, metavar=metavar, help=f"{about}: an address such as sqlite:cache.db, or a path")
    if not any(action.dest == "trust" for action in parser._actions):  # noqa: SLF001  (it has no other name)
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
        What the command line says; of it, ``trust``.
    write
        Whether it is to be changed; else it is opened read-only where there is a choice.
    make
        Whether it is made if it is not there.
    values
        Whether its values are to be read.

    Raises
    ------
    UsageError
        If it is no address.
    StoreNotFoundError
        If there is nothing, and it is not to be made.
    UntrustedStoreError
        If values are pickles from a place that many can write, and nobody said that they are trusted.
    """
    try:
        found = addresses.resolve(address)
        taken = addresses.options_taken(found)
        path = addresses.path_of(found)
        if path and not make and found.scheme not in FOREIGN and not os.path.exists(path):
            raise StoreNotFoundError(f"{path} is not there")
        more = {"read_only": True} if "read_only" in taken and not write else {}
        if options.trust and "trust" in taken:
            more["trust"] = True
        store = addresses.open(address, **more)
    except InvalidArgumentError as error:
        raise UsageError(str(error)) from error
    # What lies in files is checked by the stores themselves, when it is loaded.
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
    """Return the word that names a key: text as it is, ``!`` and a literal for others."""
    try:
        return _keys.encode(key)
    except InvalidKeyError:
        return repr(key)


def shown_key(key: Any) -> str:
    """Return a key for people: one line, and nothing that a terminal would obey."""
    return printable(word_of(key))


def printable(text: str) -> str:
    """Return text that a terminal only shows: with quotes and escapes where it must be."""
    return text if text.isprintable() else json.dumps(text)


def key_of(word: str) -> Any:
    """Return the key that a word names.

    Raises
    ------
    UsageError
        If it names none.
    """
    key = _keys.decode(word)
    if key is NOT_MINE:
        raise UsageError(
            f"{word!r} names no key: after '!' comes a literal, as in '!1' or \"!('x', 1)\"; "
            f"text that begins with '!' is {_keys.encode(word)!r}"
        )
    return key


def is_pattern(word: str) -> bool:
    """Tell whether a word may name several keys."""
    return not _WILD.isdisjoint(word)


def selected(store: Store[Any, Any], words: list[str]) -> Iterator[Any]:
    """Iterate over the keys that words name, each once; all keys if there are no words.

    Parameters
    ----------
    store
        The store.
    words
        Keys, and patterns with ``*``, ``?`` and ``[...]``. A key that is there counts before a pattern.

    Raises
    ------
    KeyError
        If a word names none; before the first key is given.
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
