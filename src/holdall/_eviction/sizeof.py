"""The memory that a value takes, counted by the objects that own the memory."""

import gc
import sys
from collections import Counter
from itertools import islice
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, Final

__all__ = ["sizeof"]

_SAMPLE: Final = 100  # elements examined per container
_LEVEL: Final = 500  # objects examined per level
_RARE: Final = 20  # elements of one type that are all examined
_LOOKED: Final = 3_000  # elements of a container whose types are looked at
_DEPTH: Final = 5_000  # levels examined
_SHARED: Final = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType)  # shared with the program
_PLAIN: Final = frozenset({bool, bytes, bytearray, complex, float, int, str, type(None)})
_HEADER: Final = 16  # memory of the garbage collector per object
_NEAR: Final = 257  # integers below are shared
_FEW: Final = 32  # up to so many elements, adding up is faster
_SLOTS: Final = 4  # minimal number of slots for attributes
# Memory is handed out in blocks of 16 bytes: a float takes two of them, of which it reports three quarters,
# and a list of floats a quarter more than its objects report.
_BLOCK: Final = 16
_MORE: Final = _BLOCK - 1
_GOLDEN: Final = 0.6180339887498949  # its multiples are spread evenly


def sizeof(value: Any) -> int:
    """Return an estimate of the memory that a value takes, in bytes.

    Parameters
    ----------
    value
        Any object.

    Returns
    -------
    int
        More than 0. Buffers count with all of the memory that they keep alive: a view of an array counts as
        the array that owns it, an Arrow slice as its buffers. A file that is mapped into memory counts as
        nothing. Objects that occur several times count once. All count with the whole blocks of memory that
        they take: 32 bytes for a float.

    Notes
    -----
    Large containers are sampled: 100 elements of each, and 500 objects at each depth, represent the others.
    Of those with up to 3,000 elements, all whose types are rare in them are examined as well.
    Elements of the sample that are the same object are assumed to be few objects in the whole container.
    Cost: at most some hundred microseconds per level, and much less than pickling the value.

    Examples
    --------
    >>> sizeof([0.5] * 1000) < 9000 < sizeof([n / 2 for n in range(1000)])
    True
    """
    kind = type(value)
    if kind in _PLAIN:
        return sys.getsizeof(value) + _MORE & -_BLOCK
    if (kind is list or kind is tuple) and len(value) < _FEW and _PLAIN.issuperset(map(type, value)):
        parts = {id(part): part for part in value}.values() if len(value) > 1 else value
        # _blocks() is in line: small values are counted often.
        return _blocks(sys.getsizeof(value)) + sum([sys.getsizeof(part) + _MORE & -_BLOCK for part in parts])
    seen: set[int] = set()
    level: list[tuple[Any, float]] = [(value, 1.0)]
    total = 0.0
    for _ in range(_DEPTH):
        found: list[tuple[Any, float]] = []
        for thing, weight in level:
            if id(thing) not in seen:
                seen.add(id(thing))
                own, parts = _own(thing)
                total += own * weight
                found += [(part, weight * times) for part, times in parts]
        if not found:
            break
        if len(found) > _LEVEL:
            rare = _rare([type(part) for part, _ in found])
            level = [pair for pair in found if type(pair[0]) in rare]
            found = [pair for pair in found if type(pair[0]) not in rare]
            times = max(1.0, len(found) / _LEVEL)
            level += [(part, weight * times) for part, weight in _spread(found, min(len(found), _LEVEL))]
        else:
            level = found
    return int(total)


_Parts = list[tuple[Any, float]]


def _own(thing: Any) -> tuple[int, _Parts]:
    """Return the own size of an object, and the objects in it, each with the number that it represents."""
    kind = type(thing)
    if kind in _PLAIN:
        return (0 if kind is int and -6 < thing < _NEAR else _blocks(sys.getsizeof(thing))), []
    if kind is list or kind is tuple or kind is set or kind is frozenset:
        return _size(thing), _sampled(thing, len(thing))
    if kind is dict:
        return _size(thing), _sampled(thing, len(thing)) + _sampled(thing.values(), len(thing))
    if isinstance(thing, _SHARED):
        return 0, []
    return _other(thing)


def _other(thing: Any) -> tuple[int, _Parts]:
    """Return the size of an object that is neither a basic one nor a built-in container."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(thing, numpy.ndarray):
        return _array(thing)
    kind = type(thing)
    if kind is memoryview:
        return _size(thing), [(thing.obj, 1.0)]
    if kind.__module__ == "mmap":
        return _size(thing), []
    if kind.__module__.startswith("pyarrow"):
        arrow = getattr(thing, "get_total_buffer_size", None)  # all buffers, not only the slice
        return _HEADER + (0 if arrow is None else _number(arrow)), []
    if isinstance(thing, dict):
        return _size(thing), _sampled(thing, len(thing)) + _sampled(thing.values(), len(thing)) + _attributes(
            thing
        )
    if isinstance(thing, list | tuple | set | frozenset):
        return _size(thing), _sampled(thing, len(thing)) + _attributes(thing)
    pandas = kind.__module__.startswith("pandas")
    if not pandas:  # pandas' nbytes are those of the view, or an estimate
        nbytes = getattr(thing, "nbytes", None)
        if type(nbytes) is int and nbytes > 0:
            return max(_size(thing), nbytes), []
    if not gc.is_tracked(thing):
        return _size(thing), []
    found = [part for part in gc.get_referents(thing) if part is not kind]
    # pandas includes what an object holds in the size of the object itself.
    own = object.__sizeof__(thing) + _HEADER if pandas else _size(thing)
    if kind.__dictoffset__:
        own += 8 * max(len(found), _SLOTS) + _HEADER  # values of attributes are beside the object
    return own, _sampled(found, len(found))


def _blocks(nbytes: int) -> int:
    """Return the memory that is handed out for so many bytes."""
    return nbytes + _MORE & -_BLOCK


def _size(thing: Any) -> int:
    try:
        return _blocks(sys.getsizeof(thing))
    except Exception:  # a faulty __sizeof__
        return 64


def _number(function: Any) -> int:
    try:
        return int(function())
    except Exception:  # another attribute of the same name
        return 0


def _array(array: Any) -> tuple[int, _Parts]:
    """Return the size of an array: its own memory, or, for a view, the memory of the owner."""
    parts: _Parts = []
    if array.dtype.hasobject:
        flat = array.reshape(-1)
        parts = _distinct(flat[:: max(1, len(flat) // _SAMPLE)].tolist(), len(flat))
    if getattr(array, "_mmap", None) is not None:
        return _size(array), []
    parts += _attributes(array)
    if array.base is None:
        return _size(array), parts
    header = _size(array) - (array.nbytes if array.flags.owndata else 0)
    return header, [*parts, (array.base, 1.0)]


def _sampled(things: Any, count: int) -> _Parts:
    """Return some of the elements of a container, with the number that each represents."""
    if count <= _SAMPLE:
        return [(thing, 1.0) for thing in things]
    if count <= _LOOKED:
        things = list(things)  # in one step: another thread may add some
        kinds = list(map(type, things))
        rare = _rare(kinds) if len(set(kinds)) > 1 else None
        if rare:
            others = [thing for thing in things if type(thing) not in rare]
            return [(thing, 1.0) for thing in things if type(thing) in rare] + _sampled(others, len(others))
    if isinstance(things, list | tuple):
        return _distinct(_spread(things, _SAMPLE), count)
    return _distinct(list(islice(things, 0, None, count // _SAMPLE)), count)


def _rare(kinds: list[type]) -> set[type]:
    """Return the types that are rare among many: an array among numbers may be most of the memory."""
    return {kind for kind, count in Counter(kinds).items() if count <= _RARE}


def _spread(things: Any, count: int) -> list[Any]:
    """Return elements spread over a sequence, without following a pattern in it."""
    step = len(things) / max(1, count)
    return [things[int((n + n * _GOLDEN % 1.0) * step)] for n in range(count)]


def _distinct(sample: list[Any], count: int) -> _Parts:
    """Return the objects of a sample: repeated ones count once, the others represent the rest."""
    times: dict[int, int] = {}
    for thing in sample:
        times[id(thing)] = times.get(id(thing), 0) + 1
    each = count / max(1, len(sample))
    return [(thing, each if times[id(thing)] == 1 else 1.0) for thing in sample]


def _attributes(thing: Any) -> _Parts:
    """Return the attributes of an instance of a container subclass; its elements are counted elsewhere."""
    found = getattr(thing, "__dict__", None)
    return [(found, 1.0)] if found else []
