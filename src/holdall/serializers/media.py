"""Images and sound."""

import io
import wave
from typing import Any, NamedTuple

from holdall.errors import CorruptValueError, InvalidArgumentError
from holdall.serializers._document import check_bound, optional
from holdall.serializers._exact import ExactSerializer

__all__ = ["AudioSerializer", "ImageSerializer", "Sound", "WaveSerializer"]

_LOSSLESS = {"png": "PNG", "bmp": "BMP", "tiff": "TIFF"}
_FORMATS = {**_LOSSLESS, "gif": "GIF", "jpg": "JPEG", "webp": "WEBP"}


class ImageSerializer(ExactSerializer):
    """An image of Pillow, as PNG or another format. Loading never runs code.

    Parameters
    ----------
    format
        The format to write: ``"png"``, ``"bmp"``, ``"tiff"``, ``"gif"``, ``"jpg"`` or ``"webp"``. All of
        these are read.
    strict
        Whether to refuse an image whose pixels or mode would come back different, or which has several
        frames. JPEG always changes them.
    max_pixels
        How many pixels an image may have, when written and when read, as a few bytes can claim many. None for
        no limit.

    Raises
    ------
    InvalidArgumentError
        If an option is not one of these.
    UnsupportedError
        If Pillow is not installed: it comes with the extra ``holdall[images]``.

    Examples
    --------
    >>> from PIL import Image
    >>> kept = ImageSerializer()
    >>> image = kept.loads(kept.dumps(Image.new("RGB", (2, 1), "red")))
    >>> image.size, image.getpixel((0, 0))
    ((2, 1), (255, 0, 0))
    """

    name = "image"
    options = ("format", "strict", "max_pixels")

    def __init__(self, format: str = "png", *, strict: bool = True, max_pixels: int | None = 1 << 28) -> None:
        optional("PIL.Image", "image", "images")
        if format not in _FORMATS:
            raise InvalidArgumentError(f"format is one of {', '.join(map(repr, _FORMATS))}, got {format!r}")
        self.format = format
        self.strict = strict
        self.max_pixels = check_bound("max_pixels", max_pixels)
        self.suffix = f".{format}"

    def _write(self, value: Any) -> bytes:
        image = optional("PIL.Image", "image", "images")
        if not isinstance(value, image.Image):
            raise TypeError(f"a value is a PIL.Image.Image, got {type(value).__name__}")
        file = io.BytesIO()
        value.save(file, _FORMATS[self.format], **({"lossless": True} if self.format == "webp" else {}))
        return file.getvalue()

    def _read(self, data: bytes) -> Any:
        image = optional("PIL.Image", "image", "images")
        # Not the formats whose readers start other programs, nor rare, unmaintained ones.
        with image.open(io.BytesIO(data), formats=list(_FORMATS.values())) as opened:
            width, height = opened.size
            if self.max_pixels is not None and width * height > self.max_pixels:
                raise CorruptValueError(
                    f"the image has {width} x {height} pixels, more than the {self.max_pixels} of max_pixels"
                )
            opened.load()
            return opened.copy()

    def _equal(self, written: Any, read: Any) -> bool:
        return (
            getattr(written, "n_frames", 1) == 1
            and (written.mode, written.size) == (read.mode, read.size)
            and written.tobytes() == read.tobytes()
            # with colours and transparency of a palette, however the format stores them
            and written.convert("RGBA").tobytes() == read.convert("RGBA").tobytes()
        )


class Sound(NamedTuple):
    r"""Uncompressed sound.

    Examples
    --------
    >>> Sound(b"\0\0" * 8000, rate=8000).seconds
    1.0
    """

    #: The samples as in a wave file: little endian, channels interleaved.
    frames: bytes
    #: Samples per second.
    rate: int
    #: The number of channels.
    channels: int = 1
    #: Bytes per sample: 1 to 4.
    width: int = 2

    @property
    def seconds(self) -> float:
        """The duration in seconds."""
        return len(self.frames) / (self.channels * self.width * self.rate)


class WaveSerializer(ExactSerializer):
    r"""A `Sound` as a wave file, by the standard library. Loading never runs code.

    Examples
    --------
    >>> kept = WaveSerializer()
    >>> data = kept.dumps(Sound(b"\1\0\2\0", rate=8000))
    >>> data[:4], kept.loads(data)
    (b'RIFF', Sound(frames=b'\x01\x00\x02\x00', rate=8000, channels=1, width=2))
    """

    name = "wave"
    suffix = ".wav"

    def _write(self, value: Any) -> bytes:
        if not isinstance(value, Sound):
            raise TypeError(f"a value is a holdall.serializers.Sound, got {type(value).__name__}")
        file = io.BytesIO()
        with wave.open(file, "wb") as writer:
            writer.setnchannels(value.channels)
            writer.setsampwidth(value.width)
            writer.setframerate(value.rate)
            writer.writeframes(value.frames)
        return file.getvalue()

    def _read(self, data: bytes) -> Any:
        with wave.open(io.BytesIO(data), "rb") as reader:
            count = reader.getnframes()
            sound = Sound(
                reader.readframes(count), reader.getframerate(), reader.getnchannels(), reader.getsampwidth()
            )
        if len(sound.frames) != count * sound.channels * sound.width:
            raise EOFError(f"there are fewer than the {count} frames that the header promises")
        return sound


class AudioSerializer(ExactSerializer):
    """A pair of an array of samples and a rate, as soundfile reads and writes them. Loading runs no code.

    Parameters
    ----------
    format
        The format to write: ``"flac"``, ``"wav"``, ``"ogg"``, ``"mp3"`` or any other that soundfile has; all
        of them are read.
    subtype
        How samples are stored, as ``"PCM_16"`` or ``"FLOAT"``; None for the default of the format.
    dtype
        The type of samples that are read: ``"int16"``, ``"int32"``, ``"float32"`` or ``"float64"``.
    strict
        Whether to refuse sound that would come back different, as lossy formats always do.

    Raises
    ------
    InvalidArgumentError
        If soundfile has no such format, subtype or dtype.
    UnsupportedError
        If soundfile is not installed: it comes with the extra ``holdall[audio]``.

    Examples
    --------
    >>> import numpy as np
    >>> kept = AudioSerializer()
    >>> samples, rate = kept.loads(kept.dumps((np.arange(4, dtype="int16"), 8000)))
    >>> samples, rate
    (array([0, 1, 2, 3], dtype=int16), 8000)
    """

    name = "audio"
    options = ("format", "subtype", "dtype", "strict")

    def __init__(
        self, format: str = "flac", *, subtype: str | None = None, dtype: str = "int16", strict: bool = True
    ) -> None:
        soundfile = optional("soundfile", "audio", "audio")
        formats = {name.lower(): name for name in soundfile.available_formats()}
        if format not in formats:
            raise InvalidArgumentError(f"format is one of {', '.join(sorted(formats))}, got {format!r}")
        if subtype is not None and subtype not in soundfile.available_subtypes(formats[format]):
            known = ", ".join(soundfile.available_subtypes(formats[format]))
            raise InvalidArgumentError(f"subtype of {format} is one of {known}, got {subtype!r}")
        if dtype not in ("int16", "int32", "float32", "float64"):
            raise InvalidArgumentError(f"dtype is int16, int32, float32 or float64, got {dtype!r}")
        self.format = format
        self.subtype = subtype
        self.dtype = dtype
        self.strict = strict
        self.suffix = f".{format}"

    def _write(self, value: Any) -> bytes:
        if type(value) is not tuple:
            raise TypeError(f"a value is a pair of samples and rate, got {type(value).__name__}")
        file = io.BytesIO()
        soundfile = optional("soundfile", "audio", "audio")
        samples, rate = value
        soundfile.write(file, samples, rate, format=self.format.upper(), subtype=self.subtype)
        return file.getvalue()

    def _read(self, data: bytes) -> Any:
        return optional("soundfile", "audio", "audio").read(io.BytesIO(data), dtype=self.dtype)

    def _equal(self, written: Any, read: Any) -> bool:
        (samples, rate), (again, its_rate) = written, read
        return (
            type(samples) is type(again)
            and (samples.dtype, samples.shape, rate) == (again.dtype, again.shape, its_rate)
            and samples.tobytes() == again.tobytes()
        )
