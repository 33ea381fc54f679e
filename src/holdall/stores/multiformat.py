"""Several formats in one folder, with one store for each."""

import os
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Self

from holdall._options import Durability, checked_path
from holdall._posix.lock import TIMEOUT
from holdall._shown import shown
from holdall.errors import InvalidArgumentError, UnsupportedError
from holdall.persisters.files import FilesPersister, overlapping, recorded
from holdall.serializers import get_serializer
from holdall.store import ItemRow, Overview
from holdall.stores._case import folds_case
from holdall.stores._formats import by_name, cannot_be_told_apart, check_name, planned, recorded_formats
from holdall.stores.files import FileDirStore

__all__ = ["MultiFormatStore"]


class MultiFormatStore(Mapping[str, FileDirStore[Any, Any]]):
    """A folder with several formats: a `FileDirStore` for each, by name.

    Parameters
    ----------
    path
        The folder; made by the first write. None for a private temporary one.
    *serializers
        Formats with the names of their serializers: ``"json"``, ``"npy"``, or a `Serializer`.
    formats
        Formats by name, as the keywords below; for names that are also options.
    keys, durability, read_only, hidden, max_levels, timeout, trust, value_type, append_only
        As for `FileDirStore`, for all formats. A codec in `keys` names the files below their suffixes.
    **named
        Formats by name: a serializer, or a dict of its ``serializer`` and of options that differ for this
        format (any but `keys`, `read_only` and `timeout`; also ``suffix`` and ``mmap_mode``). Without any
        formats, those that the folder was made with.

    Raises
    ------
    MismatchError
        If files of the folder were made with other formats than those given.
    StoreNotFoundError
        If the folder is only to be read and does not exist.
    InvalidArgumentError
        If two formats have suffixes that cannot be distinguished, or an option is invalid.

    Notes
    -----
    Each format sees only the files that end with its suffix: the key ``"a"`` in two formats is two items, in
    two files. Names of folders are shared, so a folder ``"a.json"`` of one format prevents another from
    writing a file ``"a.json"``.

    Threads, processes, after a crash: as `FileDirStore`. Cost: that of one `FileDirStore`; the formats share
    its descriptors, its lock and its workspace. The folder's metadata contain all formats that were ever
    written; a plain `FileDirStore` with any of them opens the folder too.

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
    _persister: FilesPersister | None  # None over stores with their own persisters
    _views: dict[str, Any]
    _prefixes: tuple[Any, ...] = ()  # given to get_subdict

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
        chosen = by_name(serializers, {**(formats or {}), **named})
        if not chosen:
            chosen = recorded_formats(path)
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
        """Return a store for each format in any backend, such as a bucket.

        Parameters
        ----------
        make
            Called for each format with ``serializer``, ``suffix`` and the options of the format; returns its
            store: a class, or `functools.partial` of one with the options that all formats share.
        *serializers, formats, **named
            The formats, as for a folder. A format may have any option that `make` takes.

        Returns
        -------
        MultiFormatStore
            It has no `path`.

        Raises
        ------
        InvalidArgumentError
            If there is no format, or two cannot be distinguished by their suffixes.

        Notes
        -----
        Threads, processes, after a crash: as the stores of the formats. It can be pickled if `make` can.

        Examples
        --------
        >>> from functools import partial
        >>> from holdall import S3Store
        >>> bucket = MultiFormatStore.over(partial(S3Store, "my-bucket", prefix="runs"), "json", notes="text")
        >>> bucket.notes.object_key("a"), bucket.json.object_key("a")
        ('runs/a.txt', 'runs/a.json')
        """
        store = cls.__new__(cls)
        store._open_over(make, by_name(serializers, {**(formats or {}), **named}))  # noqa: SLF001  (made here)
        return store

    def _open_over(self, make: Callable[..., Any], formats: dict[str, Any]) -> None:
        if not callable(make):
            raise InvalidArgumentError(f"make makes the store of a format, got {shown(make, 120)}")
        if not formats:
            raise InvalidArgumentError(
                'name the formats, as in MultiFormatStore.over(make, "json", arrays="npy")'
            )
        self._params = {"make": make, "formats": formats}
        self._persister = None
        self._views = {}
        suffixes: dict[str, str] = {}
        for name, spec in formats.items():
            check_name(name, dir(type(self)))
            own = dict(spec) if isinstance(spec, dict) else {"serializer": spec}
            suffix = own.get("suffix") or get_serializer(own.get("serializer")).suffix
            if not suffix:
                raise InvalidArgumentError(f"format {name!r} needs a suffix, by which its items are known")
            other = overlapping(suffix, suffixes)
            if other is not None:
                raise cannot_be_told_apart(suffixes[other], other, name, suffix)
            suffixes[suffix] = name
            self._views[name] = make(**{**own, "suffix": suffix})

    def _open(self, path: str | os.PathLike[str] | None, params: dict[str, Any]) -> None:
        self._params = params
        fold_case = folds_case(recorded(path) if path is not None else {}, path)
        shared = {**params, "fold_case": fold_case}
        plans = {
            name: planned(name, spec, shared, dir(type(self))) for name, spec in params["formats"].items()
        }
        record: dict[str, dict[str, str]] = {}
        for name, plan in plans.items():
            suffix = plan["suffix"]
            other = overlapping(suffix, record)
            if other is not None:
                raise cannot_be_told_apart(record[other]["name"], other, name, suffix)
            codec = plan.pop("codec")
            record[suffix] = {
                "name": name,
                "serializer": get_serializer(plan["serializer"]).name,
                "keys": repr(codec),
            }
            if params["keys"] not in (None, str, tuple):
                plan |= {"keys": codec, "suffix": None}
        durable = any(plan["durability"] == "power" for plan in plans.values())
        self._persister = FilesPersister(
            path,
            durability="power" if durable else "process",  # for new folders
            read_only=params["read_only"],
            timeout=params["timeout"],
            guard=not params["trust"],  # for new folders
            record={"formats": record},
        )
        self._views = {}
        for name, plan in plans.items():
            view = FileDirStore.__new__(FileDirStore)
            view._set_up(  # noqa: SLF001  (made here)
                {"path": params["path"], **plan}, self._persister, fold_case=fold_case
            )
            self._views[name] = view

    def __reduce__(self) -> tuple[Any, ...]:
        if self._persister is None:
            return _made_again, (type(self), self._params["make"], self._params["formats"], self._prefixes)
        return _reopened, (type(self), self.path, self._params, self._prefixes)

    # ------------------------------------------------------------------ the formats

    def __getitem__(self, name: str) -> FileDirStore[Any, Any]:
        return self._views[name]  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __len__(self) -> int:
        return len(self._views)

    def __getattr__(self, name: str) -> FileDirStore[Any, Any]:
        views = vars(self).get("_views", {})  # missing until __init__ has set it
        if name in views:
            return views[name]  # type: ignore[no-any-return]
        close = get_close_matches(name, views, 1)
        hint = f"; did you mean {close[0]!r}?" if close else f"; its formats are {', '.join(views)}"
        raise AttributeError(f"{type(self).__name__} has no format {name!r}{hint}", name=name, obj=self)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._views})

    def _ipython_key_completions_(self) -> list[str]:
        return list(self._views)

    # ------------------------------------------------------------------ all formats at once

    def get_subdict(self, prefix: Any) -> Self:
        """Return the same formats, of the keys below a prefix.

        Parameters
        ----------
        prefix
            As for `Store.get_subdict`.

        Examples
        --------
        >>> formats = MultiFormatStore(None, "json", "npz")
        >>> formats.json["run7/loss"] = 0.25
        >>> dict(formats.get_subdict("run7").json)
        {'loss': 0.25}
        """
        part = type(self).__new__(type(self))
        vars(part).update(vars(self))
        views = {name: view.get_subdict(prefix) for name, view in self._views.items()}
        vars(part).update(_views=views, _prefixes=(*self._prefixes, prefix))
        return part

    def newest_keys(self, max_n: int | None = None) -> list[tuple[str, Any]]:
        """Return the format and key of items of all formats, the newest first.

        Parameters
        ----------
        max_n
            How many at most; None for all.
        """
        return self._by_age(max_n, newest=True)

    def oldest_keys(self, max_n: int | None = None) -> list[tuple[str, Any]]:
        """Return the format and key of items of all formats, the oldest first.

        Parameters
        ----------
        max_n
            How many at most; None for all.
        """
        return self._by_age(max_n, newest=False)

    def _by_age(self, max_n: int | None, *, newest: bool) -> list[tuple[str, Any]]:
        dated = []
        for name, view in self._views.items():
            for key in view.newest_keys(max_n) if newest else view.oldest_keys(max_n):
                try:
                    dated.append((view.timestamp(key), name, key))
                except KeyError:  # deleted meanwhile
                    continue
        dated.sort(key=lambda item: item[0], reverse=newest)
        return [(name, key) for _, name, key in dated[:max_n]]

    def overview(self, max_n: int | None = 10, *, values: bool = True) -> Overview:
        """Return a table of some items of all formats, as `Store.overview` does; its keys are format and key.

        Parameters
        ----------
        max_n
            How many at most; None for all.
        values
            Whether to show small values too.

        Returns
        -------
        Overview
            A tuple with an `ItemRow` for each item.

        Raises
        ------
        InvalidArgumentError
            If `max_n` is neither a number nor None.

        Examples
        --------
        >>> store = MultiFormatStore(notes={"serializer": "text"}, data={"serializer": "json"})
        >>> store.notes["a"], store.data["a"] = "text", [1, 2]
        >>> [(row.key, row.value) for row in store.overview()]
        [(('notes', 'a'), "'text'"), (('data', 'a'), '[1, 2]')]
        """
        rows: list[ItemRow] = []
        note = ""
        for name, view in self._views.items():
            found = view.overview(max_n - len(rows) if max_n and rows else max_n, values=values)
            rows += [row._replace(key=(name, row.key)) for row in found]
            note = note or found.note
        return Overview(rows, repr(self), note)

    def discard(self, key: Any) -> bool:
        """Delete the items with a key in all formats; return whether there was one.

        Parameters
        ----------
        key
            The key.
        """
        found = [bool(view.discard(key)) for view in self._views.values()]
        return any(found)

    def clear(self, *, force: bool = False) -> None:
        """Delete all items of all formats.

        Parameters
        ----------
        force
            As for `Store.clear`.

        Raises
        ------
        UnsupportedError
            If items may be stored that were not written through holdall, and `force` was not given.
        """
        for view in self._views.values():
            view.clear(force=force)

    # ------------------------------------------------------------------ the folder

    @property
    def path(self) -> str:
        """The folder, absolute; reading this property makes a temporary one."""
        if self._persister is None:
            raise UnsupportedError("formats over other stores have no path: ask the stores")
        return str(self._persister.path)

    def get_params(self) -> dict[str, Any]:
        """Return the options of this store, by name, as they were given; ``formats`` has all of them.

        Returns
        -------
        dict
            Sorted by name.
        """
        return dict(sorted(self._params.items()))

    def __repr__(self) -> str:
        if "_views" not in vars(self):  # its constructor failed
            return object.__repr__(self)
        options = [f"{name}={spec!r}" for name, spec in self._params["formats"].items()]
        below = "".join(f".get_subdict({shown(prefix)})" for prefix in self._prefixes)
        if self._persister is None:
            given = ", ".join([repr(self._params["make"]), *options])
            return f"{type(self).__name__}.over({given}){below}"
        usual = type(self).__init__.__kwdefaults__ or {}
        options += [
            f"{name}={value!r}"
            for name, value in self._params.items()
            if name not in {"path", "formats"} and value != usual.get(name)
        ]
        return f"{type(self).__name__}({', '.join([repr(self._params['path']), *options])}){below}"

    def flush(self) -> None:
        """Write what is still buffered."""
        for view in self._views.values():
            view.flush()

    def close(self) -> None:
        """Release what all formats have open; the next use opens it again."""
        for view in self._views.values():
            view.close()
        if self._persister is not None:
            self._persister.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _reopened(
    cls: type[MultiFormatStore], path: str, params: dict[str, Any], prefixes: tuple[Any, ...]
) -> MultiFormatStore:
    store = cls.__new__(cls)
    store._open(path, params)  # noqa: SLF001  (same class)
    return _below(store, prefixes)


def _made_again(
    cls: type[MultiFormatStore],
    make: Callable[..., Any],
    formats: dict[str, Any],
    prefixes: tuple[Any, ...],
) -> MultiFormatStore:
    return _below(cls.over(make, formats=formats), prefixes)


def _below(store: MultiFormatStore, prefixes: tuple[Any, ...]) -> MultiFormatStore:
    for prefix in prefixes:
        store = store.get_subdict(prefix)
    return store
