"""Several formats in one folder, a store for each."""

import os
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Self

from holdall._options import Durability, checked_path
from holdall._posix.lock import TIMEOUT
from holdall.errors import InvalidArgumentError, UnsupportedError
from holdall.keys import PathKeys, as_key_codec
from holdall.keys._recorded import codec_of
from holdall.persisters.files import FilesPersister, overlapping, recorded
from holdall.serializers import get_serializer
from holdall.stores._recorded import recorded_serializer
from holdall.stores.files import FileDirStore

__all__ = ["MultiFormatStore"]

# What a format may choose for itself; the rest is said once for the folder.
_OWN = ("suffix", "durability", "hidden", "max_levels", "trust", "value_type", "append_only")


class MultiFormatStore(Mapping[str, FileDirStore[Any, Any]]):
    """A folder that holds several formats: a `FileDirStore` for each, by name.

    Parameters
    ----------
    path
        The folder; made by the first write. None for a private temporary one.
    *serializers
        Formats that are named as their serializers are: ``"json"``, ``"npy"``, or a `Serializer`.
    formats
        Formats by name, as the keywords below; for names that are also options.
    keys, durability, read_only, hidden, max_levels, timeout, trust, value_type, append_only
        As for `FileDirStore`, for all formats. A codec in `keys` names the files below their suffixes.
    **named
        Formats by name: a serializer, or a dict of its ``serializer`` and of options that this format is
        to have otherwise than the others (any but `keys`, `read_only` and `timeout`; also ``suffix`` and
        ``mmap_mode``). With no formats at all, those that the folder was made with.

    Raises
    ------
    MismatchError
        If files of the folder were made with other formats than they are opened with.
    StoreNotFoundError
        If the folder is to be read and does not exist.
    InvalidArgumentError
        If two formats could not be told apart by their suffixes, or an option is not one of those above.

    Notes
    -----
    Each format sees the files that end with its suffix, and no others: the key ``"a"`` in two formats is
    two items, in two files. Names of folders are shared, so a folder ``"a.json"`` of one format keeps
    another one from writing a file ``"a.json"``.

    Threads, processes, after a crash: as `FileDirStore`. Cost: that of one `FileDirStore`; the formats share
    its descriptors, its lock and its workspace. The folder's record names all formats that were ever
    written with; a plain `FileDirStore` with any of them opens the folder too.

    Examples
    --------
    >>> formats = MultiFormatStore(None, "json", notes={"serializer": "text", "suffix": ".md"})
    >>> formats.json["a"] = {"loss": 0.5}
    >>> formats["notes"]["a"] = "# It converges"
    >>> formats.json["a"], list(formats)
    ({'loss': 0.5}, ['json', 'notes'])
    >>> sorted(os.listdir(formats.path))
    ['.holdall', 'a.json', 'a.md']
    """

    _params: dict[str, Any]
    _place: FilesPersister | None  # None over stores that have places of their own
    _views: dict[str, Any]

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *serializers: Any,
        formats: Mapping[str, Any] | None = None,
        keys: Any = None,
        durability: Durability = "process",
        read_only: bool = False,
        hidden: bool = False,
        max_levels: int | None = None,
        timeout: float = TIMEOUT,
        trust: bool = False,
        value_type: type | tuple[type, ...] | None = None,
        append_only: bool = False,
        **named: Any,
    ) -> None:
        path = None if path is None else checked_path(path, "folder")
        chosen = _by_name(serializers, {**(formats or {}), **named})
        if not chosen:
            chosen = _recorded_formats(path)
        self._open(
            path,
            {
                "path": path,
                "formats": chosen,
                "keys": keys,
                "durability": durability,
                "read_only": read_only,
                "hidden": hidden,
                "max_levels": max_levels,
                "timeout": timeout,
                "trust": trust,
                "value_type": value_type,
                "append_only": append_only,
            },
        )

    @classmethod
    def over(
        cls,
        make: Callable[..., Any],
        *serializers: Any,
        formats: Mapping[str, Any] | None = None,
        **named: Any,
    ) -> Self:
        """Make a store for each format in a place of any kind, such as a bucket.

        Parameters
        ----------
        make
            Makes the store of a format, from ``serializer``, ``suffix`` and the options of the format: a
            class, or `functools.partial` of one with all that the formats share.
        *serializers, formats, **named
            The formats, as for a folder. A format may have any option that `make` takes.

        Returns
        -------
        MultiFormatStore
            It has no `path`.

        Raises
        ------
        InvalidArgumentError
            If there is no format, or two could not be told apart by their suffixes.

        Notes
        -----
        Threads, processes, after a crash: as the stores that are made. It can be pickled if `make` can.

        Examples
        --------
        >>> from functools import partial
        >>> from holdall import S3Store
        >>> bucket = MultiFormatStore.over(partial(S3Store, "my-bucket", prefix="runs"), "json", notes="text")
        >>> bucket.notes.object_key("a"), bucket.json.object_key("a")
        ('runs/a.txt', 'runs/a.json')
        """
        store = cls.__new__(cls)
        store._open_over(make, _by_name(serializers, {**(formats or {}), **named}))  # noqa: SLF001  (it is made here)
        return store

    def _open_over(self, make: Callable[..., Any], formats: dict[str, Any]) -> None:
        if not callable(make):
            raise InvalidArgumentError(f"make makes the store of a format, got {make!r:.120}")
        if not formats:
            raise InvalidArgumentError(
                'name the formats, as in MultiFormatStore.over(make, "json", arrays="npy")'
            )
        self._params = {"make": make, "formats": formats}
        self._place = None
        self._views = {}
        suffixes: dict[str, str] = {}
        for name, spec in formats.items():
            _check_name(name)
            own = dict(spec) if isinstance(spec, dict) else {"serializer": spec}
            suffix = own.get("suffix") or get_serializer(own.get("serializer")).suffix
            if not suffix:
                raise InvalidArgumentError(f"format {name!r} needs a suffix, by which its items are known")
            other = overlapping(suffix, suffixes)
            if other is not None:
                raise _cannot_be_told_apart(suffixes[other], other, name, suffix)
            suffixes[suffix] = name
            self._views[name] = make(**{**own, "suffix": suffix})

    def _open(self, path: str | os.PathLike[str] | None, params: dict[str, Any]) -> None:
        self._params = params
        plans = {name: _plan(name, spec, params) for name, spec in params["formats"].items()}
        record: dict[str, dict[str, str]] = {}
        for name, plan in plans.items():
            suffix = plan["suffix"]
            other = overlapping(suffix, record)
            if other is not None:
                raise _cannot_be_told_apart(record[other]["name"], other, name, suffix)
            codec = plan.pop("codec")
            record[suffix] = {
                "name": name,
                "serializer": get_serializer(plan["serializer"]).name,
                "keys": repr(codec),
            }
            if params["keys"] not in (None, str, tuple):
                plan |= {"keys": codec, "suffix": None}
        durable = any(plan["durability"] == "power" for plan in plans.values())
        self._place = FilesPersister(
            path,
            durability="power" if durable else "process",  # which new folders share
            read_only=params["read_only"],
            timeout=params["timeout"],
            guard=not params["trust"],  # by which new folders are made
            record={"formats": record},
        )
        self._views = {}
        for name, plan in plans.items():
            view = FileDirStore.__new__(FileDirStore)
            view._set_up({"path": params["path"], **plan}, self._place)  # noqa: SLF001  (it is made here)
            self._views[name] = view

    def __reduce__(self) -> tuple[Any, ...]:
        if self._place is None:
            return _made_again, (type(self), self._params["make"], self._params["formats"])
        return _reopened, (type(self), self.path, self._params)

    # ------------------------------------------------------------------ the formats

    def __getitem__(self, name: str) -> FileDirStore[Any, Any]:
        return self._views[name]  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __len__(self) -> int:
        return len(self._views)

    def __getattr__(self, name: str) -> FileDirStore[Any, Any]:
        views = vars(self).get("_views", {})  # not there yet while it is being made
        if name in views:
            return views[name]  # type: ignore[no-any-return]
        close = get_close_matches(name, views, 1)
        hint = f"; did you mean {close[0]!r}?" if close else f"; its formats are {', '.join(views)}"
        raise AttributeError(f"{type(self).__name__} has no format {name!r}{hint}", name=name, obj=self)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._views})

    def _ipython_key_completions_(self) -> list[str]:
        return list(self._views)

    # ------------------------------------------------------------------ the folder

    @property
    def path(self) -> str:
        """The folder, absolute; asking makes a temporary one."""
        if self._place is None:
            raise UnsupportedError("formats over other stores have no path: ask the stores")
        return str(self._place.path)

    def get_params(self) -> dict[str, Any]:
        """Give the options of this store, by name, as they were given; ``formats`` has all of them.

        Returns
        -------
        dict
            Sorted by name.
        """
        return dict(sorted(self._params.items()))

    def __repr__(self) -> str:
        if self._place is None:
            shown = [f"{name}={spec!r}" for name, spec in self._params["formats"].items()]
            return f"{type(self).__name__}.over({', '.join([repr(self._params['make']), *shown])})"
        options = [f"{name}={spec!r}" for name, spec in self._params["formats"].items()]
        options += [
            f"{name}={value!r}"
            for name, value in self._params.items()
            if name not in {"path", "formats"} and value not in (None, False)
        ]
        return f"{type(self).__name__}({', '.join([repr(self._params['path']), *options])})"

    def flush(self) -> None:
        """Bring to the folder what is still on its way."""
        for view in self._views.values():
            view.flush()

    def close(self) -> None:
        """Give back what all formats hold of the folder; the next use opens it again."""
        for view in self._views.values():
            view.close()
        if self._place is not None:
            self._place.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _by_name(serializers: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
    """Name all formats that were given, each once."""
    formats: dict[str, Any] = {}
    for spec in serializers:
        name = get_serializer(spec).name
        if name in formats or name in named:
            raise InvalidArgumentError(f"two formats are called {name!r}: give one by a keyword of its own")
        formats[name] = spec
    return formats | named


def _recorded_formats(path: str | os.PathLike[str] | None) -> dict[str, Any]:
    """Give the formats that a folder was made with."""
    made = {} if path is None else recorded(path).get("formats") or _one_format(path)
    if path is None or not made:
        where = "a temporary folder" if path is None else repr(os.fspath(path))
        raise InvalidArgumentError(
            f'{where} has no formats yet: name them, as in MultiFormatStore(path, "json", arrays="npy")',
        )
    formats = {}
    for suffix, format in made.items():
        recorded_serializer(format, repr(os.fspath(path)))
        formats[format["name"]] = {"serializer": format["serializer"], "suffix": suffix}
    return formats


def _one_format(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Give the format of a folder that a `FileDirStore` made, if it is recorded."""
    record = recorded(path)
    name = recorded_serializer(record, repr(os.fspath(path)))
    suffix = getattr(codec_of(record.get("keys")), "suffix", "")
    return {suffix: {"name": name, "serializer": name}} if suffix else {}


def _check_name(name: Any) -> None:
    if not isinstance(name, str) or not name.isidentifier() or name.startswith("_"):
        raise InvalidArgumentError(f"a format is known by a name as of an attribute, got {name!r}")
    if hasattr(MultiFormatStore, name):
        raise InvalidArgumentError(f"a format cannot be called {name!r}, which is a method of the store")


def _cannot_be_told_apart(one: str, suffix: str, other: str, other_suffix: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"formats {one!r} with suffix {suffix!r} and {other!r} with suffix {other_suffix!r} could not be "
        "told apart: give one of them another suffix",
    )


def _plan(name: Any, spec: Any, shared: dict[str, Any]) -> dict[str, Any]:
    """Complete the options of one format."""
    _check_name(name)
    own = dict(spec) if isinstance(spec, dict) else {"serializer": spec}
    unknown = set(own) - {"serializer", "mmap_mode", *_OWN}
    if unknown or "serializer" not in own:
        what = f"has no option {min(unknown)!r}" if unknown else "needs a serializer"
        raise InvalidArgumentError(
            f"format {name!r} {what}; its options are serializer, mmap_mode, {', '.join(_OWN)}",
        )
    try:
        serializer = get_serializer(own["serializer"])
    except InvalidArgumentError as error:
        raise InvalidArgumentError(f"format {name!r}: {error}") from error
    common = {option: shared[option] for option in _OWN if option != "suffix"}
    folder = {option: shared[option] for option in ("keys", "read_only", "timeout")}
    plan = {**folder, "mmap_mode": None, **common, **own}
    plan["suffix"] = plan.get("suffix") or serializer.suffix
    if not plan["suffix"]:
        raise InvalidArgumentError(f"format {name!r} needs a suffix, by which its files are known")
    keys = plan["keys"]
    files = PathKeys(suffix=plan["suffix"], tuples=keys is tuple, hidden=plan["hidden"])
    plan["codec"] = files if keys in (None, str, tuple) else as_key_codec(keys) | files
    return plan


def _reopened(cls: type[MultiFormatStore], path: str, params: dict[str, Any]) -> MultiFormatStore:
    store = cls.__new__(cls)
    store._open(path, params)  # noqa: SLF001  (of our own kind)
    return store


def _made_again(cls: type[MultiFormatStore], make: Callable[..., Any], formats: dict[str, Any]) -> Any:
    return cls.over(make, formats=formats)
