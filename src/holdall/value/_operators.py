"""The operators of a value: those of the object in it, and those in place, which store the result."""

import math
import operator
from collections.abc import Callable, Iterator
from typing import Any

from holdall.errors import InvalidArgumentError

_Binary = Callable[[Any, Any], Any]


def plain(thing: Any) -> Any:
    """Return the object that an operand holds."""
    return thing.value if isinstance(thing, Operators) else thing


def _unary(operation: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda self: operation(self.value)


def _binary(operation: _Binary) -> _Binary:
    return lambda self, other: operation(self.value, plain(other))


def _reflected(operation: _Binary) -> _Binary:
    return lambda self, other: operation(plain(other), self.value)


def _in_place(operation: _Binary) -> _Binary:
    def in_place(self: Any, other: Any) -> Any:
        other = plain(other)
        self.transform(lambda value: operation(value, other))
        return self

    return in_place


class Operators:
    """The operators of an object that holds another one in ``value``."""

    value: Any

    def transform(self, function: Callable[[Any], Any]) -> Any:
        """Replace the value by a function of it."""
        raise InvalidArgumentError(f"{type(self).__name__} has no transform(): {function!r} was not called")

    # ------------------------------------------------------------------ conversions

    __bool__ = _unary(bool)
    __int__ = _unary(int)
    __float__ = _unary(float)
    __complex__ = _unary(complex)
    __index__ = _unary(operator.index)
    __str__ = _unary(str)
    __bytes__ = _unary(bytes)
    __len__ = _unary(len)
    __reversed__ = _unary(reversed)
    __trunc__ = _unary(math.trunc)
    __floor__ = _unary(math.floor)
    __ceil__ = _unary(math.ceil)

    def __format__(self, spec: str) -> str:
        return format(self.value, spec)

    def __round__(self, digits: int | None = None) -> Any:
        return round(self.value, digits)

    # ------------------------------------------------------------------ items

    def __iter__(self) -> Iterator[Any]:
        return iter(self.value)

    def __contains__(self, item: object) -> bool:
        return item in self.value

    def __getitem__(self, key: Any) -> Any:
        return self.value[key]

    def __setitem__(self, key: Any, item: Any) -> None:
        def put(value: Any) -> Any:
            value[key] = item
            return value

        self.transform(put)

    def __delitem__(self, key: Any) -> None:
        def remove(value: Any) -> Any:
            del value[key]
            return value

        self.transform(remove)

    # ------------------------------------------------------------------ comparisons

    def __eq__(self, other: object) -> Any:
        return self.value == plain(other)

    def __ne__(self, other: object) -> Any:
        return self.value != plain(other)

    # As for a list: values that are equal now may differ later.
    __hash__ = None  # type: ignore[assignment]

    __lt__ = _binary(operator.lt)
    __le__ = _binary(operator.le)
    __gt__ = _binary(operator.gt)
    __ge__ = _binary(operator.ge)

    # ------------------------------------------------------------------ arithmetic

    __neg__ = _unary(operator.neg)
    __pos__ = _unary(operator.pos)
    __abs__ = _unary(abs)
    __invert__ = _unary(operator.invert)

    __add__ = _binary(operator.add)
    __sub__ = _binary(operator.sub)
    __mul__ = _binary(operator.mul)
    __matmul__ = _binary(operator.matmul)
    __truediv__ = _binary(operator.truediv)
    __floordiv__ = _binary(operator.floordiv)
    __mod__ = _binary(operator.mod)
    __divmod__ = _binary(divmod)
    __pow__ = _binary(operator.pow)
    __lshift__ = _binary(operator.lshift)
    __rshift__ = _binary(operator.rshift)
    __and__ = _binary(operator.and_)
    __or__ = _binary(operator.or_)
    __xor__ = _binary(operator.xor)

    __radd__ = _reflected(operator.add)
    __rsub__ = _reflected(operator.sub)
    __rmul__ = _reflected(operator.mul)
    __rmatmul__ = _reflected(operator.matmul)
    __rtruediv__ = _reflected(operator.truediv)
    __rfloordiv__ = _reflected(operator.floordiv)
    __rmod__ = _reflected(operator.mod)
    __rdivmod__ = _reflected(divmod)
    __rpow__ = _reflected(operator.pow)
    __rlshift__ = _reflected(operator.lshift)
    __rrshift__ = _reflected(operator.rshift)
    __rand__ = _reflected(operator.and_)
    __ror__ = _reflected(operator.or_)
    __rxor__ = _reflected(operator.xor)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """Do what numpy does with the value, where a Value is used with an array."""
        if any(isinstance(out, Operators) for out in options.get("out", ())):
            return NotImplemented
        return getattr(ufunc, method)(*map(plain, inputs), **options)

    # In place: the same object, with the result stored so that no concurrent change is lost.
    __iadd__ = _in_place(operator.iadd)
    __isub__ = _in_place(operator.isub)
    __imul__ = _in_place(operator.imul)
    __imatmul__ = _in_place(operator.imatmul)
    __itruediv__ = _in_place(operator.itruediv)
    __ifloordiv__ = _in_place(operator.ifloordiv)
    __imod__ = _in_place(operator.imod)
    __ipow__ = _in_place(operator.ipow)
    __ilshift__ = _in_place(operator.ilshift)
    __irshift__ = _in_place(operator.irshift)
    __iand__ = _in_place(operator.iand)
    __ior__ = _in_place(operator.ior)
    __ixor__ = _in_place(operator.ixor)
