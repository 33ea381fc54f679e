"""Hierarchy and time: views of the keys below a prefix, and items by age."""

import contextlib
import time
from collections.abc import Callable
from typing import Any, Self, TypeVar

from holdall._shown import shown
from holdall.abc import NOT_MINE, Capability
from holdall.conditional import ANY_ETAG
from holdall.errors import ConflictError, InvalidArgumentError, UnsupportedError
from holdall.keys import IdentityKeys, PathKeys, Under
from holdall.store._base import StoreBase
from holdall.store._compiled import missing

K = TypeVar("K")
V = TypeVar("V")


class StoreHierarchy(StoreBase[K, V]):
    """The part of `Store` for prefixes and times."""

    @property
    def keys_codec(self) -> Any:
        """How keys are named."""
        return self._pipeline.keys

    def get_subdict(self, prefix: Any) -> Self:
        """Return a live view of the keys below a prefix, named relative to it.

        Parameters
        ----------
        prefix
            A text, for keys ``prefix + "/" + rest``; a tuple, for keys ``prefix + rest``; or a dict of some
            fields, where keys are dicts.

        Returns
        -------
        Store
            A store of the same class over the same persister.

        Examples
        --------
        >>> from holdall import MemoryStore
        >>> store = MemoryStore()
        >>> store["theme/dark"] = 1
        >>> theme = store.get_subdict("theme")
        >>> theme["light"] = 2
        >>> sorted(store), sorted(theme)
        (['theme/dark', 'theme/light'], ['dark', 'light'])
        """
        from holdall.store._changes import Below  # noqa: PLC0415  (plain stores have none)

        prefix = self._as_prefix(prefix)
        layers = self._pipeline.layers
        outer: Any = IdentityKeys()
        if layers and isinstance(layers[-1], Under):
            *layers, outer = layers  # type: ignore[assignment]
        below = self._pipeline._replace(layers=(*layers, Under(outer, prefix)))
        view = self._with(below)
        view._note(Below(prefix))  # noqa: SLF001  (same class)
        return view

    def subdicts(self) -> dict[str, Self]:
        """Return the views of all first parts of keys that have something below them.

        Where the persister knows folders, as S3 does, a view may be of a folder without any item of this
        store.
        """
        firsts = self._firsts_by_folders()
        if firsts is None:
            firsts = self._firsts_by_keys()
        return {first: self.get_subdict(prefix) for first, prefix in firsts.items()}

    def timestamp(self, key: K) -> float:
        """Return the time of the last modification of an item.

        Parameters
        ----------
        key
            The key of the item.

        Returns
        -------
        float
            POSIX time in seconds.

        Raises
        ------
        KeyError
            If the key is absent.
        UnsupportedError
            If the persister keeps no times.
        """
        self._require_times()
        id = self._compiled.id(key)
        try:
            return float(self._compiled.stat(key, id).mtime)
        except KeyError as error:
            raise missing(key, error) from None

    def oldest_keys(self, max_n: int | None = None) -> list[K]:
        """Return the keys, the oldest first, by the time of their last modification.

        Parameters
        ----------
        max_n
            How many at most; None for all. It bounds the memory that is used.
        """
        return self._by_age(max_n, newest=False)

    def newest_keys(self, max_n: int | None = None) -> list[K]:
        """Return the keys, the newest first, by the time of their last modification.

        Parameters
        ----------
        max_n
            How many at most; None for all. It bounds the memory that is used.
        """
        return self._by_age(max_n, newest=True)

    def oldest_values(self, max_n: int | None = None) -> list[V]:
        """Return the values in the order of `oldest_keys`; items that vanish meanwhile are skipped."""
        return self._existing(self.oldest_keys(max_n))

    def newest_values(self, max_n: int | None = None) -> list[V]:
        """Return the values in the order of `newest_keys`; items that vanish meanwhile are skipped."""
        return self._existing(self.newest_keys(max_n))

    def purge(self, *, older_than: float | None = None) -> int:
        """Delete the items that have expired, where items do expire, and old ones.

        Parameters
        ----------
        older_than
            Also delete items last written longer ago than this many seconds; None for no others.

        Returns
        -------
        int
            How many were deleted. An item that is renewed meanwhile stays.

        Raises
        ------
        UnsupportedError
            If the store is read-only, or keeps no times and `older_than` is given.

        Examples
        --------
        >>> from holdall import MemoryStore
        >>> store = MemoryStore({"a": 1})
        >>> store.timestamp("a") > 0, store.purge(older_than=3600), len(store)
        (True, 0, 1)
        """
        count = self._purge(lambda _: True)
        if older_than is None:
            return count
        given: Any = older_than
        if isinstance(given, bool) or not isinstance(given, int | float) or not given >= 0:
            raise InvalidArgumentError(f"older_than is a number of seconds, got {shown(older_than)}")
        self._require_times()
        before = time.time() - older_than
        persister = self._compiled.persister
        swaps = Capability.CAS_THREADS in persister.capabilities
        for key, stat in list(self._compiled.stats()):
            if stat.mtime >= before:
                continue
            try:
                persister.remove(self._compiled.id(key), stat.etag if swaps else ANY_ETAG)
            except (KeyError, ConflictError):  # deleted or renewed meanwhile
                continue
            count += 1
        return count

    @property
    def nbytes(self) -> int:
        """How many bytes the data of all items have, as the persister reports it; of objects, an estimate.

        Raises
        ------
        UnsupportedError
            If the data are bytes, and the persister does not know how many.
        """
        total = 0
        persister = self._compiled.persister
        for key, stat in self._compiled.stats():
            if stat.size is not None:
                total += stat.size
            elif Capability.BYTES in persister.capabilities:
                raise UnsupportedError(f"{self._compiled.place} keeps no sizes of items")
            else:
                from holdall._eviction.sizeof import sizeof  # noqa: PLC0415  (only for objects)

                with contextlib.suppress(KeyError):  # deleted meanwhile
                    total += sizeof(persister[self._compiled.id(key)])
        return total

    def random_key(self) -> K | None:
        """Return a key drawn uniformly in one pass; None if there is none."""
        import random  # noqa: PLC0415  (slow to import)

        chosen = None
        for count, key in enumerate(self, 1):
            if random.random() * count < 1:  # noqa: S311  (a sample, not a secret)
                chosen = key
        return chosen

    # ------------------------------------------------------------------ pieces

    def _as_prefix(self, prefix: Any) -> Any:
        """Return the prefix that a first part, as `subdicts` returns it, means among our keys."""
        codec = self._pipeline.keys
        if isinstance(prefix, str) and prefix.endswith("/") and prefix.strip("/"):
            prefix = prefix.rstrip("/")
        if isinstance(prefix, list):
            return tuple(prefix)
        if isinstance(prefix, tuple | dict):
            return prefix
        if self._in_tuples():
            return (prefix,)
        if not self._compiled.names_by_codec:
            return prefix
        if getattr(codec, "keys", None) == "dict":  # a Template
            return {codec.names[0]: prefix}  # type: ignore[attr-defined]
        return prefix

    def _in_tuples(self) -> bool:
        """Return whether all keys are tuples."""
        codec = self.keys_codec  # of a spilling store, that of the store below it
        named = self._compiled.names_by_codec or codec is not self._pipeline.keys
        return named and getattr(codec, "tuples", False)

    def _firsts_by_keys(self) -> dict[Any, Any]:
        """Return the first parts of all keys that have more parts, with the prefix that each means."""
        firsts: dict[Any, Any] = {}
        for key in self:
            if isinstance(key, str) and "/" in key:
                first = key.split("/", 1)[0]
                firsts[first] = first
            elif isinstance(key, tuple) and len(key) > 1:
                # Where keys may be text as well, "a" is the prefix of "a/b", and ("a",) that of ("a", "b").
                firsts[key[0] if self._in_tuples() else key[:1]] = key[:1]
            elif isinstance(key, dict) and len(key) > 1:
                name, value = next(iter(key.items()))
                firsts[value] = {name: value}
        return firsts

    def _firsts_by_folders(self) -> dict[Any, Any] | None:
        """Return the first parts of keys by the folders of the persister; None if it lists no folders."""
        codec = self._pipeline.keys
        if not isinstance(codec, PathKeys) or not self._compiled.names_by_codec:
            return None
        folders = self._compiled.persister.folders(self._compiled.prefix)
        if folders is None:
            return None
        firsts: dict[Any, Any] = {}
        for folder in folders:
            first = codec.folder_key(folder)
            if first is None:
                return None
            if first is not NOT_MINE:
                firsts[first] = (first,) if codec.tuples else first
        return firsts

    def _purge(self, wanted: Callable[[Any], bool]) -> int:
        """Delete expired items among those of our keys that are wanted."""
        decode, codec = self._compiled.decode, self._pipeline.keys

        def owns(id: Any) -> bool:
            if not codec.reversible:  # no id leads to a key, so none can be left out
                return self._compiled.listed_by_codec and codec.owns(id)
            key = id if decode is None else decode(id)
            return key is not NOT_MINE and wanted(key)

        return int(self._compiled.persister.purge(owns, self._compiled.prefix))

    def _existing(self, keys: list[Any]) -> list[Any]:
        values = []
        for key in keys:
            try:
                values.append(self._present(key))
            except KeyError:
                continue
        return values

    def _require_times(self) -> None:
        if Capability.MTIME not in self._compiled.persister.capabilities:
            raise UnsupportedError(f"{self._compiled.place} keeps no times of modification")

    def _by_age(self, max_n: int | None, *, newest: bool) -> list[Any]:
        self._require_times()
        if max_n is not None and type(max_n) is not int:
            raise InvalidArgumentError(f"max_n must be a whole number or None, got {max_n!r}")
        limit = max_n if max_n is None else max(max_n, 0)
        while True:
            ids = list(self._compiled.persister.by_age(self._compiled.prefix, newest=newest, limit=limit))
            keys = ids if self._compiled.decode is None else [self._compiled.decode(id) for id in ids]
            found = [key for key in keys if key is not NOT_MINE]
            if limit is None or max_n is None or len(found) >= max_n or len(ids) < limit:
                return found[:max_n]
            limit *= 4  # some of the ids were not ours: ask for more
