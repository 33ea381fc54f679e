"""The steps that made a store from another one: shown in its `repr`, and repeated to make it again."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from holdall._shown import shown

__all__ = ["Below", "Change"]


def _short(value: Any) -> str:
    return str(value.__name__) if hasattr(value, "__name__") else shown(value)


class Change(NamedTuple):
    """A store that `Store.derive` made.

    Parameters
    ----------
    change, name, methods
        The arguments of `derive`.
    """

    change: Callable[..., Any]
    name: str | None
    methods: Mapping[str, Callable[..., Any]]

    def __call__(self, store: Any) -> Any:
        """Make the same change to another store."""
        return store.derive(self.change, name=self.name, methods=self.methods)

    def shown(self, store: str) -> str:
        """Return the text of the changed store, from that of the other one."""
        options: dict[str, Any] = getattr(self.change, "options", {})
        given = [f"{name}={_short(value)}" for name, value in options.items()]
        return f"{self.name or 'derive'}({', '.join([store, *given])})"

    def __repr__(self) -> str:
        return self.shown("...")


class Below(NamedTuple):
    """A store that `Store.get_subdict` made.

    Parameters
    ----------
    prefix
        The argument of `get_subdict`.
    """

    prefix: Any

    def __call__(self, store: Any) -> Any:
        """Return the same part of another store."""
        return store.get_subdict(self.prefix)

    def shown(self, store: str) -> str:
        """Return the text of the part, from that of the whole store."""
        return f"{store}.get_subdict({_short(self.prefix)})"

    def __repr__(self) -> str:
        return self.shown("...")
