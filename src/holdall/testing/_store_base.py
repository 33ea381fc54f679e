"""The base of the laws of stores: what a contract defines, and comparing a store with a dict."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdall.abc import Capability


class StoreBase:
    """The parts of `StoreContract` that its laws use."""

    keys: tuple[Any, ...]
    values: tuple[Any, ...]
    impossible: Any
    open: Callable[..., Any]
    fresh: Callable[..., Any]
    times: Callable[[int], int]
    tick: float

    @property
    def absent(self) -> Any:
        """A key that `partly` leaves out."""
        return self.keys[3]

    def partly(self, place: Path, *claims: Capability) -> tuple[Any, dict[Any, Any]]:
        """Open a store with an item under each of the first three keys, all different."""
        store = self.fresh(place, Capability.WRITABLE, *claims)
        model = dict(zip(self.keys[:3], self.values[:3], strict=True))
        for key, value in model.items():
            store[key] = value
        return store, model

    def text_keys(self) -> None:
        """Skip the law where keys are not text."""
        if not all(isinstance(key, str) for key in self.keys):
            pytest.skip("keys are not text")


def same_items(store: Any, model: dict[Any, Any]) -> bool:
    """Compare a store with a dict by all views of its content."""
    return (
        len(store) == len(list(store)) == len(model)
        and bool(store) == bool(model)
        and {key: store[key] for key in store} == model
        and dict(store.items()) == model
        and all(key in store for key in model)
        and store == model
    )
