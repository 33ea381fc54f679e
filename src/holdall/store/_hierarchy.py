"""Hierarchy and time: views of the keys below a prefix, and items by age."""

import random
from collections.abc import Callable, Sequence
from typing import Any, Self, TypeVar

from holdall.abc import NOT_MINE, Capability, KeyCodec
from holdall.errors import InvalidArgumentError, UnsupportedError
from holdall.keys import IdentityKeys, PathKeys, Under
from holdall.store._calls import missing
from holdall.store._layers import Hooks, Layer
from holdall.store._pipeline import StorePipeline

K = TypeVar("K")
V = TypeVar("V")


class StoreHierarchy(StorePipeline[K, V]):
    """The part of `Store` that knows prefixes and times."""

    def get_subdict(self, prefix: Any) -> Self:
        """Give a live view of the keys below a prefix, named relative to it.

        Parameters
        ----------
        prefix
            Text, for keys ``prefix + "/" + rest``; a tuple, for keys ``prefix + rest``; or a dict of some
            fields, where keys are dicts.

        Returns
        -------
        Store
            A store of the same kind over the same place.

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
        layers = self._layers
        outer: Any = IdentityKeys()
        if isinstance(layers[-1], Under):
            *layers, outer = layers  # type: ignore[assignment]
        whole = outer.encode(prefix)
        state = {
            **self.__getstate__(),
            "_layers": (*layers, Under(outer, prefix)),
            "_params": {**self._params, "prefix": whole},
        }
        if below := self._ids_below(whole, layers):
            state["_id_prefix"] = below
        view = type(self).__new__(type(self))
        view.__setstate__(state)
        return view

    def subdicts(self) -> dict[str, Self]:
        """Give the views of all first parts of keys that have something below them.

        Where the place knows folders, as S3 does, one may be given in which there is nothing of this store.
        """
        firsts = self._firsts_by_folders()
        if firsts is None:
            firsts = self._firsts_by_keys()
        return {first: self.get_subdict(prefix) for first, prefix in firsts.items()}

    def timestamp(self, key: K) -> float:
        """Give the time of the last modification of an item.

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
            If the place keeps no times.
        """
        self._require_times()
        id = self._id(key)
        try:
            return float(self._persister.stat(id).mtime)
        except KeyError as error:
            raise missing(key, error) from None

    def oldest_keys(self, max_n: int | None = None) -> list[K]:
        """Give the keys, those longest unmodified first.

        Parameters
        ----------
        max_n
            How many at the most; None for all. Memory is bounded by it.
        """
        return self._by_age(max_n, newest=False)

    def newest_keys(self, max_n: int | None = None) -> list[K]:
        """Give the keys, the last modified first.

        Parameters
        ----------
        max_n
            How many at the most; None for all. Memory is bounded by it.
        """
        return self._by_age(max_n, newest=True)

    def oldest_values(self, max_n: int | None = None) -> list[V]:
        """Give the values in the order of `oldest_keys`; what vanishes meanwhile is left out."""
        return self._existing(self.oldest_keys(max_n))

    def newest_values(self, max_n: int | None = None) -> list[V]:
        """Give the values in the order of `newest_keys`; what vanishes meanwhile is left out."""
        return self._existing(self.newest_keys(max_n))

    def purge(self) -> int:
        """Delete the items that have expired, where items do expire.

        Returns
        -------
        int
            How many were deleted. An item that somebody renews meanwhile stays.

        Raises
        ------
        UnsupportedError
            If the place can only be read.
        """
        return self._purge(lambda _: True)

    def random_key(self) -> K | None:
        """Give a key drawn uniformly in one pass, None if there is none."""
        chosen = None
        for count, key in enumerate(self, 1):
            if random.random() * count < 1:  # noqa: S311  (a sample, not a secret)
                chosen = key
        return chosen

    # ------------------------------------------------------------------ pieces

    def _firsts_by_keys(self) -> dict[Any, Any]:
        """Return the first parts of all keys that have more, and the prefix that each stands for."""
        firsts: dict[Any, Any] = {}
        for key in self:
            if isinstance(key, str) and "/" in key:
                first = key.split("/", 1)[0]
                firsts[first] = first
            elif isinstance(key, tuple) and len(key) > 1:
                firsts[key[0]] = key[:1]
            elif isinstance(key, dict) and len(key) > 1:
                name, value = next(iter(key.items()))
                firsts[value] = {name: value}
        return firsts

    def _firsts_by_folders(self) -> dict[Any, Any] | None:
        """Return the first parts of keys by the folders of the place; None if they are not told so."""
        codec = self._codec
        if not isinstance(codec, PathKeys):
            return None
        for layer in self._layers:
            if isinstance(layer, Under):
                continue
            named = self._hooks_of(layer) if isinstance(layer, Hooks) else layer
            if isinstance(named, KeyCodec) or named.id_of_key or named.key_of_id:
                return None
        folders = self._persister.folders(self._id_prefix)
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

    def _ids_below(self, prefix: Any, layers: Sequence[Layer] | None = None) -> str:
        """Give a text with which the ids of all keys below a prefix start; "" promises nothing."""
        for layer in self._layers if layers is None else layers:
            if isinstance(layer, KeyCodec):
                if getattr(layer, "renames", True):
                    return ""
            elif (self._hooks_of(layer) if isinstance(layer, Hooks) else layer).id_of_key:
                return ""
        return self._codec.id_prefix(prefix)

    def _purge(self, wanted: Callable[[Any], bool]) -> int:
        """Delete what has expired under those of our keys that are wanted."""
        decode, codec = self._decode, self._codec

        def owns(id: Any) -> bool:
            if not codec.reversible:  # no key can be told, so none can be left out
                return self._listed_by_codec and codec.owns(id)
            key = id if decode is None else decode(id)
            return key is not NOT_MINE and wanted(key)

        return int(self._persister.purge(owns, self._id_prefix))

    def _lists(self, id: Any) -> bool:
        """Tell whether an id is that of one of our keys."""
        if not self._codec.reversible:
            return self._codec.owns(id)
        return self._decode is None or self._decode(id) is not NOT_MINE

    def _existing(self, keys: list[Any]) -> list[Any]:
        values = []
        for key in keys:
            try:
                values.append(self._get_present(key))
            except KeyError:
                continue
        return values

    def _require_times(self) -> None:
        if Capability.MTIME not in self._persister.capabilities:
            raise UnsupportedError(f"{self._place} keeps no times of modification")

    def _by_age(self, max_n: int | None, *, newest: bool) -> list[Any]:
        self._require_times()
        if max_n is not None and type(max_n) is not int:
            raise InvalidArgumentError(f"max_n must be a whole number or None, got {max_n!r}")
        limit = max_n if max_n is None else max(max_n, 0)
        while True:
            ids = list(self._persister.by_age(self._id_prefix, newest=newest, limit=limit))
            keys = ids if self._decode is None else [self._decode(id) for id in ids]
            found = [key for key in keys if key is not NOT_MINE]
            if limit is None or max_n is None or len(found) >= max_n or len(ids) < limit:
                return found[:max_n]
            limit *= 4  # some of the ids were not ours: look further
