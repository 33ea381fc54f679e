"""Sizes and ages for display."""

from typing import Final

__all__ = ["shown_age", "shown_size"]

_SIZES: Final = ("kB", "MB", "GB", "TB", "PB", "EB")
_DAY: Final = 86400.0
_NOW: Final = 5.0  # seconds
_AGES: Final = (
    (365.25 * _DAY, "year"),
    (30.4375 * _DAY, "month"),
    (_DAY, "day"),
    (3600.0, "hour"),
    (60.0, "minute"),
    (1.0, "second"),
)


def shown_size(size: float) -> str:
    """Return a number of bytes in units of 1000, with two or three digits.

    Parameters
    ----------
    size
        The number of bytes.

    Examples
    --------
    >>> shown_size(12), shown_size(1234), shown_size(999_950), shown_size(56_789_012)
    ('12 B', '1.2 kB', '1.0 MB', '57 MB')
    """
    if size < 1000:
        return f"{size:.0f} B"
    for unit in _SIZES:
        size /= 1000
        if size < 9.95:
            return f"{size:.1f} {unit}"
        if size < 999.5:
            return f"{size:.0f} {unit}"
    return f"{size:.0f} {unit}"


def shown_age(seconds: float) -> str:
    """Return an elapsed time in its largest whole unit.

    Parameters
    ----------
    seconds
        The time; a few seconds, or a time in the future by a wrong clock, are now.

    Examples
    --------
    >>> shown_age(0.5), shown_age(59), shown_age(60), shown_age(7300), shown_age(5e8)
    ('now', '59 seconds', '1 minute', '2 hours', '15 years')
    """
    if seconds < _NOW:
        return "now"
    length, unit = next(pair for pair in _AGES if seconds >= pair[0])
    count = int(seconds / length)
    return f"{count} {unit}" + "s" * (count > 1)
