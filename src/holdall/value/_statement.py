"""What the statement that uses ``value`` is about to do with it, from the code that runs.

``count.value += 1`` reads and then writes, and another process may write in between. The interpreter reads
the attribute for such a statement by instructions that no other statement has, so that the two can be made
one: reading returns an `InPlace`, which the operator turns into the `Change` that is written.
"""

import dis
import operator
from collections.abc import Callable
from types import FrameType
from typing import Any, Final, NamedTuple

_LOAD: Final = dis.opmap["LOAD_ATTR"]
_COPY: Final = dis.opmap["COPY"]
_EXTENDED: Final = dis.opmap["EXTENDED_ARG"]


class Change(NamedTuple):
    """A change of a value that is applied without another change in between."""

    operation: Callable[[Any, Any], Any]
    operand: Any


def _changing(operation: Callable[[Any, Any], Any]) -> Callable[[object, Any], Change]:
    return lambda _, operand: Change(operation, operand)


class InPlace:
    """A value while an augmented assignment to it is evaluated."""

    __slots__ = ()

    __iadd__ = _changing(operator.iadd)
    __isub__ = _changing(operator.isub)
    __imul__ = _changing(operator.imul)
    __imatmul__ = _changing(operator.imatmul)
    __itruediv__ = _changing(operator.itruediv)
    __ifloordiv__ = _changing(operator.ifloordiv)
    __imod__ = _changing(operator.imod)
    __ipow__ = _changing(operator.ipow)
    __ilshift__ = _changing(operator.ilshift)
    __irshift__ = _changing(operator.irshift)
    __iand__ = _changing(operator.iand)
    __ior__ = _changing(operator.ior)
    __ixor__ = _changing(operator.ixor)


IN_PLACE: Final = InPlace()


def is_augmented(frame: FrameType) -> bool:
    """Return whether a frame reads an attribute in order to assign the result of ``+=`` or the like to it.

    Then the object itself was duplicated just before, for the assignment that follows.
    """
    code, at = frame.f_code.co_code, frame.f_lasti
    if code[at] != _LOAD:
        return False
    at -= 2
    while at > 0 and code[at] == _EXTENDED:
        at -= 2
    return at >= 0 and code[at] == _COPY and code[at + 1] == 1
