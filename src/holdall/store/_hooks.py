"""The four methods by which subclasses adapt a store, and which of them apply at which level."""

from typing import Any, Final

from holdall.abc import Unary
from holdall.store.pipeline import Functions, Hooks, Layer

__all__ = ["HOOKS", "as_it_is", "frozen_layers", "functions_of", "levels_of", "pass_on"]

HOOKS: Final = ("_id_of_key", "_key_of_id", "_data_of_obj", "_obj_of_data")


def pass_on(self: Any, thing: Any) -> Any:
    """Replace a hook in a wrapped class: the store below has done its work already."""
    del self
    return thing


def as_it_is(thing: Any) -> Any:
    """Replace a hook in a wrapped instance."""
    return thing


def levels_of(cls: type) -> tuple[type, ...]:
    """Return the classes where the hooks of each level are looked up: the wrapped ones, then the class."""
    return (*(vars(c)["_wraps"] for c in reversed(cls.__mro__) if "_wraps" in vars(c)), cls)


def functions_of(store: Any, base: type, hooks: Hooks, layers: tuple[Layer, ...]) -> Functions:
    """Return the overridden hooks of a level; those of `base` are the defaults."""
    if hooks is _last(layers):
        hooks = Hooks(hooks.level, vars(store))
    cls = None if hooks.level is None else levels_of(type(store))[hooks.level]
    found = (_find(store, base, name, hooks, cls) for name in HOOKS)
    return Functions(*found)  # type: ignore[arg-type]


def frozen_layers(store: Any, layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """Return the layers of a store with the hooks that the instance has now, unaffected by later ones."""
    own = {name: vars(store)[name] for name in HOOKS if name in vars(store)}
    if not own:
        return layers
    last = _last(layers)
    return tuple(Hooks(layer.level, own) if layer is last else layer for layer in layers)  # type: ignore[union-attr]


def _last(layers: tuple[Layer, ...]) -> Layer | None:
    return next((layer for layer in reversed(layers) if isinstance(layer, Hooks)), None)


def _find(store: Any, base: type, name: str, hooks: Hooks, level: type | None) -> Unary | None:
    own: Unary | None = hooks.own.get(name)
    if own is not None:
        return None if own is as_it_is else own
    if level is None or getattr(level, name) is vars(base)[name]:  # most
        return None
    for cls in level.__mro__:
        found = vars(cls).get(name)
        if found is not None:
            if cls is base or found is pass_on:
                return None
            return found.__get__(store, type(store))  # type: ignore[no-any-return]
    return None
