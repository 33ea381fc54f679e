"""Layers with a key: a signature, or encryption, over any serializer."""

import base64
import hmac
import os
from abc import abstractmethod
from typing import Any

from holdall.errors import CorruptValueError, InvalidArgumentError, SerializationError, UnsupportedError
from holdall.serializers._document import optional
from holdall.serializers.layers import LayerSerializer

__all__ = ["AesGcmSerializer", "FernetSerializer", "HmacSerializer", "SealedSerializer"]

_VARIABLE = "HOLDALL_KEY"
_NONCE = 12
_TAG = 16


class SealedSerializer(LayerSerializer):
    """A layer with a key. Only data written with the key are loaded.

    Parameters
    ----------
    inner
        The serializer below.
    key
        The key: bytes, or text in base64. None for the text of the environment variable ``HOLDALL_KEY``.

    Raises
    ------
    InvalidArgumentError
        If the key is not of this form.
    UnsupportedError
        If there is no key, or a package is not installed.

    Notes
    -----
    The key is in no metadata and no repr. A key that was passed is in pickles of the serializer and of its
    stores; that of the environment is not. The name of the item, its store and its format are not sealed:
    whoever can write to the store can replace a sealed value by an older one, or by another one that was
    sealed with the same key, even by text where a pickle is read. So give a store of pickles its own key.
    """

    def __init__(self, inner: Any, key: bytes | str | None = None) -> None:
        super().__init__(inner)
        # Only data written with the key are loaded, so owner and mode of files do not matter.
        self.executes_code = False
        self._given = key
        self._secret()

    @abstractmethod
    def _parsed(self, key: bytes | str) -> bytes:
        """Return the key as bytes, or raise ValueError or TypeError."""

    def _secret(self) -> bytes:
        """Return the key, from the environment as it is now if none was passed."""
        key = self._given if self._given is not None else os.environ.get(_VARIABLE)
        if not key:
            raise UnsupportedError(
                f"serializer {self.name!r} needs a key: "
                f"give {type(self).__name__}({self.inner.name!r}, key=...), "
                f"or set the environment variable {_VARIABLE} to one in base64",
            )
        try:
            return self._parsed(key)
        except (TypeError, ValueError) as error:
            raise InvalidArgumentError(f"the key of serializer {self.name!r}: {error}") from None

    def _refused(self) -> CorruptValueError:
        return CorruptValueError(
            f"the data were not written with this key of {self.layer!r}, or were changed"
        )

    def __eq__(self, other: object) -> bool:
        return (
            super().__eq__(other)
            and isinstance(other, SealedSerializer)
            and hmac.compare_digest(self._secret(), other._secret())
        )

    __hash__ = LayerSerializer.__hash__


class HmacSerializer(SealedSerializer):
    """A layer that signs: HMAC-SHA256 before the data; ``"pickle.hmac"``.

    Data without the right signature are refused before any part is loaded, so pickles may be stored where
    others can write. The data are not secret.

    Parameters
    ----------
    inner
        The serializer below.
    key
        16 bytes or more, or such in base64. None for the environment variable ``HOLDALL_KEY``.

    Examples
    --------
    >>> signed = HmacSerializer("json", key=bytes(32))
    >>> signed.loads(signed.dumps([1]))
    [1]
    >>> HmacSerializer("json", key=b"another key, as long").loads(signed.dumps([1]))
    Traceback (most recent call last):
    ...
    holdall.errors.CorruptValueError: the data were not written with this key of 'hmac', or were changed
    """

    layer, ending = "hmac", ".signed"

    def _parsed(self, key: bytes | str) -> bytes:
        return _bytes(key, least=16)

    def _tag(self, data: bytes) -> bytes:
        return hmac.digest(self._secret(), data, "sha256")

    def wrap(self, data: bytes) -> bytes:  # docstring inherited
        return self._tag(data) + data

    def unwrap(self, data: bytes) -> bytes:  # docstring inherited
        found, plain = bytes(data[:32]), data[32:]
        if not hmac.compare_digest(self._tag(plain), found):
            raise self._refused()
        return plain


class AesGcmSerializer(SealedSerializer):
    """A layer that encrypts and signs with AES-GCM: ``"json.aesgcm"``; with the extra ``holdall[crypto]``.

    Stored are a random nonce of 12 bytes, the encrypted data, and their tag of 16 bytes. At most 2**32 values
    may be written with one key.

    Parameters
    ----------
    inner
        The serializer below.
    key
        16, 24 or 32 bytes, or such in base64. None for the environment variable ``HOLDALL_KEY``.

    Examples
    --------
    >>> secret = AesGcmSerializer("json", key=bytes(range(32)))
    >>> secret.loads(secret.dumps("attack at dawn")), b"dawn" in secret.dumps("attack at dawn")
    ('attack at dawn', False)
    """

    layer, ending = "aesgcm", ".aesgcm"

    def _parsed(self, key: bytes | str) -> bytes:
        parsed = _bytes(key)
        if len(parsed) not in (16, 24, 32):
            raise ValueError(f"a key of AES has 16, 24 or 32 bytes, got {len(parsed)}")
        return parsed

    def _cipher(self) -> Any:
        module = optional("cryptography.hazmat.primitives.ciphers.aead", self.name, "crypto")
        return module.AESGCM(self._secret())

    def _secret(self) -> bytes:
        optional("cryptography", self.name, "crypto")
        return super()._secret()

    def wrap(self, data: bytes) -> bytes:  # docstring inherited
        nonce = os.urandom(_NONCE)
        try:
            return nonce + bytes(self._cipher().encrypt(nonce, data, None))
        except OverflowError as error:
            raise SerializationError(
                f"AES-GCM encrypts at most 2 GiB at once, got {len(data)} bytes"
            ) from error

    def unwrap(self, data: bytes) -> bytes:  # docstring inherited
        if len(data) < _NONCE + _TAG:
            raise self._refused()
        broken = optional("cryptography.exceptions", self.name, "crypto").InvalidTag
        try:
            return bytes(self._cipher().decrypt(data[:_NONCE], data[_NONCE:], None))
        except broken:
            raise self._refused() from None


class FernetSerializer(SealedSerializer):
    """A layer that encrypts and signs with Fernet, as text: ``"json.fernet"``; with ``holdall[crypto]``.

    Stored is a token of the `cryptography` package, which other programs read.

    Parameters
    ----------
    inner
        The serializer below.
    key
        What ``Fernet.generate_key()`` returns. None for the environment variable ``HOLDALL_KEY``.

    Examples
    --------
    >>> from cryptography.fernet import Fernet
    >>> key = Fernet.generate_key()
    >>> secret = FernetSerializer("json", key)
    >>> Fernet(key).decrypt(secret.dumps([1]))
    b'[1]'
    """

    layer, ending = "fernet", ".fernet"

    def _parsed(self, key: bytes | str) -> bytes:
        self._fernet().Fernet(key)
        return key.encode() if isinstance(key, str) else bytes(key)

    def _fernet(self) -> Any:
        return optional("cryptography.fernet", self.name, "crypto")

    def wrap(self, data: bytes) -> bytes:  # docstring inherited
        return bytes(self._fernet().Fernet(self._secret()).encrypt(data))

    def unwrap(self, data: bytes) -> bytes:  # docstring inherited
        fernet = self._fernet()
        try:
            return bytes(fernet.Fernet(self._secret()).decrypt(bytes(data)))
        except fernet.InvalidToken:
            raise self._refused() from None


def _bytes(key: bytes | str, least: int = 0) -> bytes:
    """Return a key from bytes, or from bytes in base64 of either alphabet."""
    if isinstance(key, str):
        key = base64.b64decode(key.strip().replace("-", "+").replace("_", "/"), validate=True)
    elif not isinstance(key, bytes | bytearray):
        raise TypeError(f"a key is bytes, or text in base64, got {type(key).__name__}")
    if len(key) < least:
        raise ValueError(f"a key has {least} bytes or more, got {len(key)}")
    return bytes(key)
