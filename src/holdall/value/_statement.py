"""What the statement that uses ``value`` is about to do with it: told by the code that runs.

``count.value += 1`` reads and then writes, and another process may write in between. The interpreter reads
the attribute for such a statement by instructions that no other statement has, so that the two can be made
one: what is read is an `InPlace`, what is written then is the `Change` that it makes of the operand.
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
    """A change of a value that nobody else's can come in between of."""

    operation: Callable[[Any, Any], Any]
    operand: Any


def _changing(operation: Callable[[Any, Any], Any]) -> Callable[[object, Any], Change]:
    return lambda _, operand: Change(operation, operand)


class InPlace:
    """Stands for a value while an augmented assignment to it is evaluated."""

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
    """Tell whether a frame reads an attribute in order to assign the result of ``+=`` or the like to it.

    Then the object itself was duplicated just before, for the assignment that comes.
    """
    code, at = frame.f_code.co_code, frame.f_lasti
    if code[at] != _LOAD:
        return False
    at -= 2
    while at > 0 and code[at] == _EXTENDED:
        at -= 2
    return at >= 0 and code[at] == _COPY and code[at + 1] == 1
