"""Layers that compress, over any serializer."""

import bz2
import gzip
import io
import lzma
from abc import abstractmethod
from typing import Any, ClassVar, Protocol

from holdall.errors import CorruptValueError, InvalidArgumentError, SerializationError
from holdall.serializers._document import check_bound, optional
from holdall.serializers.layers import LayerSerializer

__all__ = [
    "Bz2Serializer",
    "CompressedSerializer",
    "GzipSerializer",
    "Lz4Serializer",
    "XzSerializer",
    "ZstdSerializer",
]

#: The default limit of the size of data after decompression: 1 GiB.
MAX_SIZE = 1 << 30

_CHUNK = 1 << 16
_ZSTD_CHUNK = 1 << 10


class CompressedSerializer(LayerSerializer):
    """A layer that compresses, and limits the size of data after decompression.

    Parameters
    ----------
    inner
        The serializer below.
    level
        The compression level; None for the default of the format.
    max_size
        Bytes that a value may have when decompressed, when written and when read. None for no limit.

    Raises
    ------
    InvalidArgumentError
        If `level` or `max_size` is invalid.
    UnsupportedError
        If the package of the format is not installed.

    Examples
    --------
    >>> class Zlib(CompressedSerializer):
    ...     layer, ending, levels, usual_level = "zlib", ".zlib", range(10), 6
    ...     def compress(self, data): return zlib.compress(data, self.level)
    ...     def decompress(self, data): return zlib.decompressobj().decompress(data, self.max_size + 1)
    >>> import zlib
    >>> Zlib("json", max_size=100).loads(zlib.compress(b" " * 200))
    Traceback (most recent call last):
    ...
    holdall.errors.CorruptValueError: the data would unpack to more than the 100 bytes of max_size: ...
    """

    options = ("inner", "level", "max_size")
    #: The valid levels.
    levels: ClassVar[range]
    #: The default level.
    usual_level: ClassVar[int]

    def __init__(self, inner: Any, level: int | None = None, *, max_size: int | None = MAX_SIZE) -> None:
        super().__init__(inner)
        level = self.usual_level if level is None else level
        if type(level) is not int or level not in self.levels:
            raise InvalidArgumentError(
                f"the level of {self.layer} is a number from {self.levels[0]} to {self.levels[-1]}, "
                f"got {level!r}"
            )
        self.level = level
        self.max_size = check_bound("max_size", max_size)

    @abstractmethod
    def compress(self, data: bytes) -> bytes:
        """Compress; equal data must become equal data."""

    @abstractmethod
    def decompress(self, data: bytes) -> bytes:
        """Decompress, up to a little more than `max_size`."""

    def wrap(self, data: bytes) -> bytes:  # docstring inherited
        if self.max_size is not None and len(data) > self.max_size:
            raise SerializationError(
                f"the value has {len(data)} bytes before it is compressed, more than the {self.max_size} of "
                f"max_size, and would not be read: "
                f"give {type(self).__name__}({self.inner.name!r}, max_size=...)",
            )
        return self.compress(data)

    def unwrap(self, data: bytes) -> bytes:  # docstring inherited
        try:
            plain = self.decompress(data)
        except Exception as error:
            if isinstance(error, MemoryError | CorruptValueError):
                raise
            raise CorruptValueError(f"the data are not {self.layer}: {error}") from error
        self._check_size(len(plain))
        return plain

    def _check_size(self, size: int) -> None:
        if self.max_size is not None and size > self.max_size:
            raise CorruptValueError(
                f"the data would unpack to more than the {self.max_size} bytes of max_size: "
                f"if you trust them, give {type(self).__name__}({self.inner.name!r}, max_size=...)",
            )

    def _read(self, file: "_Reader") -> bytes:
        """Read a file to its end, or to a little more than the limit."""
        plain = bytearray()
        while chunk := file.read(_CHUNK):
            plain += chunk
            self._check_size(len(plain))
        return bytes(plain)


class GzipSerializer(CompressedSerializer):
    """A layer that compresses as ``gzip`` does: ``"json.gz"``.

    Parameters
    ----------
    inner
        The serializer below.
    level
        From 0, no compression, to 9, the smallest; 6 if None.
    max_size
        Bytes that a value may have when decompressed, when written and when read. None for no limit.

    Examples
    --------
    >>> from holdall.serializers import get_serializer
    >>> packed = get_serializer("json.gz")
    >>> packed.loads(packed.dumps([1] * 1000)) == [1] * 1000, len(packed.dumps([1] * 1000))
    (True, 45)
    """

    layer, ending, levels, usual_level = "gz", ".gz", range(10), 6

    def compress(self, data: bytes) -> bytes:  # docstring inherited
        return gzip.compress(data, self.level, mtime=0)  # equal values, equal data

    def decompress(self, data: bytes) -> bytes:  # docstring inherited
        if not data:
            raise EOFError("there are none")  # GzipFile takes it for an empty file
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            return self._read(file)


class Bz2Serializer(CompressedSerializer):
    """A layer that compresses as ``bzip2`` does: ``"json.bz2"``.

    Parameters
    ----------
    inner
        The serializer below.
    level
        From 1 to 9, the smallest; 9 if None.
    max_size
        Bytes that a value may have when decompressed, when written and when read. None for no limit.

    Examples
    --------
    >>> from holdall.serializers import get_serializer
    >>> get_serializer("text.bz2").dumps("a" * 1000)[:3]
    b'BZh'
    """

    layer, ending, levels, usual_level = "bz2", ".bz2", range(1, 10), 9

    def compress(self, data: bytes) -> bytes:  # docstring inherited
        return bz2.compress(data, self.level)

    def decompress(self, data: bytes) -> bytes:  # docstring inherited
        with bz2.BZ2File(io.BytesIO(data)) as file:
            return self._read(file)


class XzSerializer(CompressedSerializer):
    """A layer that compresses as ``xz`` does (LZMA): ``"json.xz"``.

    Parameters
    ----------
    inner
        The serializer below.
    level
        From 0 to 9, the smallest; 6 if None.
    max_size
        Bytes that a value may have when decompressed, when written and when read. None for no limit.

    Examples
    --------
    >>> from holdall.serializers import get_serializer
    >>> get_serializer("text.xz").dumps("a" * 1000)[1:5]
    b'7zXZ'
    """

    layer, ending, levels, usual_level = "xz", ".xz", range(10), 6

    def compress(self, data: bytes) -> bytes:  # docstring inherited
        return lzma.compress(data, preset=self.level)

    def decompress(self, data: bytes) -> bytes:  # docstring inherited
        with lzma.LZMAFile(io.BytesIO(data)) as file:
            return self._read(file)


class ZstdSerializer(CompressedSerializer):
    """A layer that compresses as ``zstd`` does: ``"json.zst"``; with the extra ``holdall[zstd]``.

    Parameters
    ----------
    inner
        The serializer below.
    level
        From 1 to 22, the smallest; 3 if None.
    max_size
        Bytes that a value may have when decompressed, when written and when read. None for no limit.

    Raises
    ------
    UnsupportedError
        If zstandard is not installed.

    Examples
    --------
    >>> from holdall.serializers import get_serializer
    >>> packed = get_serializer("json.zst")
    >>> packed.loads(packed.dumps([1] * 1000)) == [1] * 1000
    True
    """

    layer, ending, levels, usual_level = "zst", ".zst", range(1, 23), 3

    def __init__(self, inner: Any, level: int | None = None, *, max_size: int | None = MAX_SIZE) -> None:
        super().__init__(inner, level, max_size=max_size)
        optional("zstandard", self.name, "zstd")

    def compress(self, data: bytes) -> bytes:  # docstring inherited
        zstd = optional("zstandard", self.name, "zstd")
        return bytes(zstd.ZstdCompressor(level=self.level, write_checksum=True).compress(data))

    def decompress(self, data: bytes) -> bytes:  # docstring inherited
        # zstandard's own reader accepts a truncated frame, and its other calls have no limit: so the frame is
        # decompressed in pieces, each of which becomes 32 MiB at most.
        plain, left = bytearray(), memoryview(data)
        zstd = optional("zstandard", self.name, "zstd").ZstdDecompressor()
        while True:
            frame = zstd.decompressobj()
            while not frame.eof:
                if not left:
                    raise EOFError("they end too early")
                piece, left = left[:_ZSTD_CHUNK], left[_ZSTD_CHUNK:]
                plain += frame.decompress(piece)
                self._check_size(len(plain))
            rest = len(frame.unused_data) + len(left)
            if not rest:
                return bytes(plain)
            left = memoryview(data)[-rest:]


class Lz4Serializer(CompressedSerializer):
    """A layer that compresses as ``lz4`` does: ``"json.lz4"``; with the extra ``holdall[lz4]``.

    Parameters
    ----------
    inner
        The serializer below.
    level
        From 0, the fastest, to 12, the smallest; 0 if None.
    max_size
        Bytes that a value may have when decompressed, when written and when read. None for no limit.

    Raises
    ------
    UnsupportedError
        If lz4 is not installed.

    Examples
    --------
    >>> from holdall.serializers import get_serializer
    >>> packed = get_serializer("json.lz4")
    >>> packed.loads(packed.dumps([1] * 1000)) == [1] * 1000
    True
    """

    layer, ending, levels, usual_level = "lz4", ".lz4", range(13), 0

    def __init__(self, inner: Any, level: int | None = None, *, max_size: int | None = MAX_SIZE) -> None:
        super().__init__(inner, level, max_size=max_size)
        optional("lz4.frame", self.name, "lz4")

    def compress(self, data: bytes) -> bytes:  # docstring inherited
        lz4 = optional("lz4.frame", self.name, "lz4")
        return bytes(lz4.compress(data, compression_level=self.level, content_checksum=True))

    def decompress(self, data: bytes) -> bytes:  # docstring inherited
        if not data:
            raise EOFError("there are none")
        with optional("lz4.frame", self.name, "lz4").open(io.BytesIO(data)) as file:
            return self._read(file)


class _Reader(Protocol):
    def read(self, size: int, /) -> bytes: ...
