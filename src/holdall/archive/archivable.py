"""Bases of classes that define how they are archived."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Any

from holdall.archive.archive import Archive
from holdall.archive.writer import is_keyword_name

__all__ = ["Archivable", "Container"]


class Archivable:
    """A base of classes whose objects are made again by ``Class(name=value, ...)``.

    A subclass returns the names and values in `items`; by default those of ``__dict__``.

    Examples
    --------
    >>> from holdall.archive import Archivable
    >>> class Setting(Archivable):
    ...     def __init__(self, rate):
    ...         self.rate = rate
    >>> Setting(0.5)
    Setting(rate=0.5)
    >>> list(Setting(0.5))
    ['rate']
    """

    def items(self) -> Iterable[tuple[str, Any]]:
        """Return the names and values of the arguments that make the object again."""
        return list(vars(self).items())

    def get_persistent_rep(
        self, env: Mapping[str, Any]
    ) -> tuple[str, dict[str, Any], list[tuple[str, str, str]]]:
        """Return the expression that makes the object, the values in it, and its imports.

        Parameters
        ----------
        env
            Names that expressions may use; not needed here.
        """
        del env
        items = dict(self.items())
        name = type(self).__qualname__
        root = name.partition(".")[0]
        unused = (local for i in count() if (local := f"_{i}") not in items)
        arguments, values = [], {}
        for key, value in items.items():
            plain = is_keyword_name(key)
            local = key if plain and key != root else next(unused)
            arguments.append(f"{key}={local}" if plain else f"**{{{key!r}: {local}}}")
            values[local] = value
        return f"{name}({', '.join(arguments)})", values, [(type(self).__module__, root, root)]

    def archive(self, name: str) -> str:
        """Return the source that makes the object under a name.

        Parameters
        ----------
        name
            The name that it gets.
        """
        made = Archive(allowed_names=[name])
        values: dict[str, Any] = {name: self}
        made.insert(**values)
        return str(made)

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self.items())

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.items())
        return f"{type(self).__name__}({arguments})"


class Container(Archivable):
    """An object with arbitrary attributes.

    Parameters
    ----------
    **values
        The attributes.

    Examples
    --------
    >>> from holdall.archive import Container
    >>> found = Container(a=1, b="x")
    >>> found.a
    1
    >>> print(found.archive("found"))  # doctest: +ELLIPSIS
    def _scope():
        from holdall.archive... import Container
        found = Container(a=1, b='x')
        return (found,)
    (found,) = _scope()
    del _scope
    try: del __builtins__, _arrays
    except NameError: pass
    """

    def __init__(self, /, **values: Any) -> None:
        vars(self).update(values)
