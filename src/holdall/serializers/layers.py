"""Layers over any serializer: base64, and a checksum."""

import base64
import hashlib
from abc import abstractmethod
from typing import Any, ClassVar

from holdall.abc import KeyedSerializer
from holdall.errors import CorruptValueError, InvalidArgumentError
from holdall.serializers import OptionSerializer, get_serializer

__all__ = ["Base64Serializer", "ChecksumSerializer", "LayerSerializer"]


class LayerSerializer(OptionSerializer[Any]):
    """A layer that changes what another serializer writes; subclasses define `wrap` and `unwrap`.

    Parameters
    ----------
    inner
        The serializer below, or what `get_serializer` takes for one.

    Raises
    ------
    InvalidArgumentError
        If `inner` is not a serializer, or chooses one by the key, as `by_suffix` does.

    Examples
    --------
    >>> class Backwards(LayerSerializer):
    ...     layer, ending = "backwards", ".back"
    ...     def wrap(self, data): return data[::-1]
    ...     def unwrap(self, data): return data[::-1]
    >>> Backwards("json").dumps([1, 2]), Backwards("json").name
    (b']2 ,1[', 'json.backwards')
    """

    options: ClassVar[tuple[str, ...]] = ("inner",)
    #: The text added to the name of the serializer below.
    layer: ClassVar[str]
    #: The text added to its suffix.
    ending: ClassVar[str]

    def __init__(self, inner: Any) -> None:
        self.inner = get_serializer(inner)
        if isinstance(self.inner, KeyedSerializer):
            raise InvalidArgumentError(
                f"{type(self).__name__} wraps one serializer, and {self.inner!r} chooses by key: "
                "use the layer inside its table",
            )
        self.name = f"{self.inner.name}.{self.layer}"
        self.suffix = f"{self.inner.suffix}{self.ending}"
        self.executes_code = self.inner.executes_code

    @abstractmethod
    def wrap(self, data: bytes) -> bytes:
        """Return the data to store for data of the serializer below."""

    @abstractmethod
    def unwrap(self, data: bytes) -> bytes:
        """Return the data of the serializer below for stored data."""

    def dumps(self, value: Any) -> bytes:  # docstring inherited
        return self.wrap(self.inner.dumps(value))

    def loads(self, data: bytes) -> Any:  # docstring inherited
        return self.inner.loads(self.unwrap(data))


class Base64Serializer(LayerSerializer):
    """A layer that encodes any data as text: ``"pickle | base64"``.

    Parameters
    ----------
    inner
        The serializer below.

    Examples
    --------
    >>> get_serializer("json | base64").dumps([1, 2])
    b'WzEsIDJd'
    """

    layer, ending = "base64", ".b64"

    def wrap(self, data: bytes) -> bytes:  # docstring inherited
        return base64.b64encode(data)

    def unwrap(self, data: bytes) -> bytes:  # docstring inherited
        try:
            # other programs write lines, with a line end after the last
            return base64.b64decode(bytes(data).translate(None, b"\r\n"), validate=True)
        except ValueError as error:
            raise CorruptValueError(f"the data are not base64: {error}") from error


class ChecksumSerializer(LayerSerializer):
    """A layer that detects changed data: SHA-256 before the data; ``"npy.checksum"``.

    It detects damage, not manipulation: for that, use `HmacSerializer`.

    Parameters
    ----------
    inner
        The serializer below.

    Examples
    --------
    >>> kept = get_serializer("json.checksum")
    >>> data = kept.dumps([1, 2])
    >>> kept.loads(data)
    [1, 2]
    >>> kept.loads(data.replace(b"2]", b"3]"))
    Traceback (most recent call last):
    ...
    holdall.errors.CorruptValueError: the checksum is another: ...
    """

    layer, ending = "checksum", ".sum"

    def wrap(self, data: bytes) -> bytes:  # docstring inherited
        return hashlib.sha256(data).digest() + data

    def unwrap(self, data: bytes) -> bytes:  # docstring inherited
        found, plain = data[:32], data[32:]
        if hashlib.sha256(plain).digest() != found:
            raise CorruptValueError("the checksum is another: the data were damaged, or are not whole")
        return plain
