"""Serializers from any object that can dump and load."""

import io
from collections.abc import Callable
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Any

from holdall._shown import shown
from holdall.errors import InvalidArgumentError, SerializationError
from holdall.serializers import OptionSerializer

__all__ = ["AdaptedSerializer", "FunctionsSerializer"]

# Modules whose loading is known to run no code. All others are assumed to.
_HARMLESS = frozenset({"json"})

# Anything can write at least one of these, which shows whether it writes text or bytes.
_SAMPLES: tuple[Any, ...] = (None, "", 0, [], {}, b"")


class AdaptedSerializer(OptionSerializer[Any]):
    """A serializer from a module or object with ``dumps``/``loads`` or ``dump``/``load``.

    Parameters
    ----------
    obj
        The module or object. ``dumps`` may return text or bytes; ``dump(value, file)`` may write either.
    suffix
        File suffix with its dot; by default the attribute ``suffix`` of the object, or a dot and the name of
        the module, or ``".dat"``.
    name
        The name that stores record; by default the name of the module, or module and name of the type.

    Notes
    -----
    Loading is assumed to run code, unless the object is the module `json` or has an attribute
    ``executes_code`` that is false. Text is stored in UTF-8.

    Examples
    --------
    >>> import json
    >>> adapted = AdaptedSerializer(json)
    >>> adapted.dumps([1, None]), adapted.suffix
    (b'[1, null]', '.json')
    """

    options = ("name", "suffix")

    def __init__(self, obj: Any, *, suffix: str = "", name: str | None = None) -> None:
        if _has(obj, "dumps", "loads"):
            self._dumps, self._loads = obj.dumps, obj.loads
        elif _has(obj, "dump", "load"):
            self._dumps, self._loads = self._dumps_by_file, self._loads_by_file
        else:
            raise InvalidArgumentError(
                f"{shown(obj, 100)} has neither dumps and loads nor dump and load: "
                "it cannot be used as a serializer",
            )
        self.obj = obj
        self.suffix = suffix or _suffix_of(obj)
        self.name = name or _name_of(obj)
        executes = getattr(obj, "executes_code", None)
        if not isinstance(executes, bool):
            executes = not (isinstance(obj, ModuleType) and obj.__name__ in _HARMLESS)
        self.executes_code = executes
        # Whether obj reads and writes text; None until something was written.
        self._text: bool | None = None

    def dumps(self, value: Any) -> bytes:  # docstring inherited
        try:
            data = self._dumps(value)
            is_text = isinstance(data, str)
            if is_text:
                data = data.encode()
        except Exception as error:
            if isinstance(error, MemoryError | OSError):
                raise
            raise SerializationError(
                f"{self.name} cannot write a value of type {type(value).__qualname__}: "
                f"{str(error) or type(error).__name__}",
            ) from error
        if not isinstance(data, bytes | bytearray | memoryview):
            raise SerializationError(
                f"dumps of {self.name} gave {type(data).__name__}: it is to give bytes or str",
            )
        self._text = is_text
        return bytes(data)

    def loads(self, data: bytes) -> Any:  # docstring inherited
        text = self._text
        if text is None:
            text = self._text = self._writes_text()
        return self._loads(str(data, "utf-8") if text else data)

    def _writes_text(self) -> bool:
        for sample in _SAMPLES:
            try:
                return isinstance(self._dumps(sample), str)
            except Exception:  # noqa: S112  not one that it can write
                continue
        return False

    def _dumps_by_file(self, value: Any) -> bytes | str:
        file = _Sink()
        self.obj.dump(value, file)
        data = file.getvalue()
        return data.decode() if file.has_text else data

    def _loads_by_file(self, data: bytes | str) -> Any:
        return self.obj.load(io.StringIO(data, newline="") if isinstance(data, str) else io.BytesIO(data))

    def __repr__(self) -> str:
        return f"AdaptedSerializer({self.name}, suffix={self.suffix!r})"

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other) and isinstance(other, AdaptedSerializer) and bool(self.obj == other.obj)

    __hash__ = OptionSerializer.__hash__

    def __reduce__(self) -> tuple[Any, ...]:
        # Modules cannot be pickled, but imported by name.
        is_module = isinstance(self.obj, ModuleType)
        return _rebuilt, (
            type(self),
            is_module,
            self.obj.__name__ if is_module else self.obj,
            self.suffix,
            self.name,
        )


class FunctionsSerializer(AdaptedSerializer):
    """A serializer from two functions. Loading is assumed to run code.

    Parameters
    ----------
    write
        From value to bytes or text.
    read
        From bytes or text to value.

    Examples
    --------
    >>> hexadecimal = FunctionsSerializer(bytes.hex, bytes.fromhex)
    >>> hexadecimal.dumps(b"kept"), hexadecimal.loads(b"6b657074")
    (b'6b657074', b'kept')
    """

    def __init__(self, write: Callable[[Any], Any], read: Callable[[Any], Any]) -> None:
        self.pair = (write, read)
        super().__init__(SimpleNamespace(dumps=write, loads=read), name="functions")

    def __repr__(self) -> str:
        write, read = (getattr(function, "__qualname__", repr(function)) for function in self.pair)
        return f"FunctionsSerializer({write}, {read})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.pair


class _Sink(io.BytesIO):
    """A file that takes bytes and text."""

    has_text = False

    def write(self, data: Any) -> int:
        if isinstance(data, str):
            self.has_text = True
            super().write(data.encode())
            return len(data)
        return super().write(data)


def _rebuilt(
    cls: type[AdaptedSerializer], is_module: bool, obj: Any, suffix: str, name: str
) -> AdaptedSerializer:
    return cls(import_module(obj) if is_module else obj, suffix=suffix, name=name)


def _has(obj: Any, *names: str) -> bool:
    return all(callable(getattr(obj, name, None)) for name in names)


def _suffix_of(obj: Any) -> str:
    suffix = getattr(obj, "suffix", None)
    if isinstance(suffix, str) and suffix:
        return suffix
    return "." + obj.__name__.rpartition(".")[2] if isinstance(obj, ModuleType) else ".dat"


def _name_of(obj: Any) -> str:
    if isinstance(obj, ModuleType):
        return obj.__name__
    cls = obj if isinstance(obj, type) else type(obj)
    return f"{cls.__module__}:{cls.__qualname__}"
