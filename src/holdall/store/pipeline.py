"""What a store consists of, as a value that its handles, views and wrappers share.

A store keeps its layers as a tuple, innermost first. Each is `Functions`, a `KeyCodec` (the keys of a view),
or `Hooks`: those that its class had when it was wrapped, and those added since by subclasses of the wrapped
class or given to the instance. `holdall.store._compiled` makes a few functions of all layers; nothing is
nested.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from holdall._shown import shown
from holdall.abc import NOT_MINE, KeyCodec, Persister, Serializer, Unary
from holdall.errors import InvalidArgumentError
from holdall.keys import IdentityKeys

__all__ = ["Functions", "Hooks", "KeyValueFunction", "Layer", "Pipeline"]

#: Any function of a key and a value.
KeyValueFunction: TypeAlias = Callable[[Any, Any], Any]


class Hooks(NamedTuple):
    """The position of hooks among the layers of a store.

    Parameters
    ----------
    level
        0 for hooks that the class itself inherits, the number of a wrapped class for those that came after
        it, None for those of no class.
    own
        Functions given to the instance, by the name of the hook; those of the last level are its attributes.
    """

    level: int | None
    own: dict[str, Any]


class Functions(NamedTuple):
    """Functions around a store; None leaves keys or values as they are.

    Parameters
    ----------
    id_of_key, key_of_id
        From the key that the user gives to the key below, and back.
    data_of_obj, obj_of_data
        From the value that the user gives to the value below, and back.
    preset, postget
        The same for values, with the user's key as first argument: `preset` before `data_of_obj`,
        `postget` after `obj_of_data`.
    """

    id_of_key: Unary | None = None
    key_of_id: Unary | None = None
    data_of_obj: Unary | None = None
    obj_of_data: Unary | None = None
    preset: KeyValueFunction | None = None
    postget: KeyValueFunction | None = None

    def check_pair(self, key: Any) -> None:
        """Raise `InvalidArgumentError` if an item written under a key would be listed under another one."""
        if self.id_of_key is None or self.key_of_id is None:
            return
        id = self.id_of_key(key)
        try:
            back = self.key_of_id(id)
            # An equivalent spelling of the key is no loss, such as "a" for ("a",).
            found = back is not NOT_MINE and (back == key or self.id_of_key(back) == id)
        except Exception as error:
            self._not_inverse(key, id, f"fails with {type(error).__name__}: {error}", error)
        if not found:
            self._not_inverse(
                key, id, "refuses" if back is NOT_MINE else f"turns into {shown(back, 120)}", None
            )

    def _not_inverse(self, key: Any, id: Any, what: str, error: Exception | None) -> None:
        raise InvalidArgumentError(
            f"id_of_key {_named(self.id_of_key)} names {shown(key, 120)} {shown(id, 120)}, which key_of_id "
            f"{_named(self.key_of_id)} {what}: nothing was written, since the item would be lost; "
            "make the two functions each other's inverse",
        ) from error


#: One layer of a store.
Layer: TypeAlias = Functions | KeyCodec[Any] | Hooks


class Pipeline(NamedTuple):
    """All that a store consists of, as `Store.pipeline` shows it and `Store.derive` takes it.

    Parameters
    ----------
    persister
        Where data are kept.
    keys
        How keys become ids.
    serializer
        How values become data; None keeps them as they are.
    value_type
        A class or a tuple of classes that all values must be instances of.
    layers
        The layers above these, innermost first: `Functions`, key codecs and hooks.

    Examples
    --------
    >>> from holdall import Store
    >>> Store(serializer="json").pipeline.serializer.name
    'json'
    """

    persister: Any
    keys: KeyCodec[Any] = IdentityKeys()
    serializer: Serializer[Any] | None = None
    value_type: type | tuple[type, ...] | None = None
    layers: tuple[Layer, ...] = ()

    def over(self, persister: Any) -> "Pipeline":
        """Return the same pipeline over another persister.

        Parameters
        ----------
        persister
            A `Persister`, or a read-only `Reader`.

        Examples
        --------
        >>> from holdall import Store
        >>> from holdall.abc import PersisterWrapper
        >>> pipeline = Store({"a": 1}).pipeline
        >>> pipeline.over(PersisterWrapper(pipeline.persister)).persister["a"]
        1
        """
        if not isinstance(persister, Persister):
            from holdall.abc import PersisterWrapper  # noqa: PLC0415  (plain stores have none)

            persister = PersisterWrapper(persister)  # raises ReadOnlyError on writes
        return self._replace(persister=persister)

    def add(self, *layers: Layer) -> "Pipeline":
        """Return the same pipeline with more layers on top.

        Parameters
        ----------
        *layers
            The layers, innermost first.

        Examples
        --------
        >>> from holdall import Store
        >>> loud = Functions(obj_of_data=str.upper)
        >>> Store({"a": "b"}).derive(lambda store: store.pipeline.add(loud))["a"]
        'B'
        """
        return self._replace(layers=(*self.layers, *layers))


def _named(function: Any) -> str:
    """Return the name of a function for messages."""
    return str(getattr(function, "__qualname__", None) or repr(function))
