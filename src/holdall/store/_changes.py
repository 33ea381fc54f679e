"""By which steps a store was made of another one: shown in its `repr`, and repeated to make it anew."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

__all__ = ["Below", "Change"]


def _short(value: Any) -> str:
    return str(value.__name__) if hasattr(value, "__name__") else f"{value!r:.80}"


class Change(NamedTuple):
    """A store that `Store.derive` made.

    Parameters
    ----------
    change, name, methods
        What `derive` was given.
    """

    change: Callable[..., Any]
    name: str | None
    methods: Mapping[str, Callable[..., Any]]

    def __call__(self, store: Any) -> Any:
        """Change another store in the same way."""
        return store.derive(self.change, name=self.name, methods=self.methods)

    def shown(self, store: str) -> str:
        """Show the changed store, given how the other one is shown."""
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
        What `get_subdict` was given.
    """

    prefix: Any

    def __call__(self, store: Any) -> Any:
        """Return the same part of another store."""
        return store.get_subdict(self.prefix)

    def shown(self, store: str) -> str:
        """Show the part, given how the whole store is shown."""
        return f"{store}.get_subdict({_short(self.prefix)})"

    def __repr__(self) -> str:
        return self.shown("...")
