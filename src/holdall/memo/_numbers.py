"""Numbers as bytes: where types are not separated, equal numbers are one."""

import math
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdall.memo._encoder import Encoder

_DOUBLE = struct.Struct(">d").pack
_NAN = _DOUBLE(math.nan)
#: Decimals with a larger exponent are not converted to integers for comparison.
_EXPONENT = 400


def encode_bool(value: Any, e: "Encoder") -> None:
    """Encode True and False."""
    if e.typed:
        e.out.append(b"T" if value else b"F")
    else:
        e.out.append(b"i%x;" % value)


def encode_int(value: Any, e: "Encoder") -> None:
    """Encode an int of any size."""
    e.out.append(b"i%x;" % value)


def encode_float(value: Any, e: "Encoder") -> None:
    """Encode a float; all NaN are one."""
    if not e.typed and value.is_integer():
        e.out.append(b"i%x;" % int(value))
    else:
        e.out.append(b"f" + (_NAN if math.isnan(value) else _DOUBLE(value)))


def encode_complex(value: Any, e: "Encoder") -> None:
    """Encode a complex number."""
    if not e.typed:
        if not value.imag:
            encode_float(value.real, e)
            return
        value += 0  # zeros of both signs are equal
    e.out.append(b"c")
    for part in (value.real, value.imag):
        e.out.append(_NAN if math.isnan(part) else _DOUBLE(part))


def _ratio(value: Any, e: "Encoder") -> None:
    """Encode a Fraction or a finite Decimal like the number that it equals."""
    above, below = value.as_integer_ratio()
    if below == 1:
        encode_int(above, e)
        return
    try:
        near = above / below
    except OverflowError:
        near = math.nan
    if near == value:
        encode_float(near, e)
    else:
        e.out.append(b"q%x/%x;" % (above, below))


def encode_fraction(value: Any, e: "Encoder") -> None:
    """Encode a Fraction."""
    if e.typed:
        e.out.append(b"Q%x/%x;" % (value.numerator, value.denominator))
    else:
        _ratio(value, e)


def encode_decimal(value: Any, e: "Encoder") -> None:
    """Encode a Decimal."""
    if not e.typed and value.is_finite() and abs(value.adjusted()) < _EXPONENT:
        _ratio(value, e)
    elif not e.typed and value.is_infinite():
        encode_float(float(value), e)
    elif not e.typed and value.is_finite():
        sign, digits, exponent = value.as_tuple()
        zeros = len(digits) - len("".join(map(str, digits)).rstrip("0"))
        e.parts(b"d", "", (sign, digits[: len(digits) - zeros], exponent + zeros))
    else:
        e.open(b"d", str(value))
        e.close()
