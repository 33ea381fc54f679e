"""Amounts of memory and disk, from users and from the machine."""

import os
import re
from typing import Final

from holdall._shown import shown
from holdall.errors import InvalidArgumentError

__all__ = ["memory_of_machine", "parse_size"]

_UNITS: Final = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
_SIZE: Final = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*([a-z%]*)\s*", re.IGNORECASE)
#: Where control groups have their limits: version 2, version 1.
_CGROUPS: Final = ("/sys/fs/cgroup", "/sys/fs/cgroup/memory")
_LIMITS: Final = ("memory.max", "memory.limit_in_bytes")


def parse_size(size: float | str, name: str = "size") -> int:
    """Return the number of bytes of a size in a user's notation.

    Parameters
    ----------
    size
        A number of bytes, or text: ``"1GB"`` is 10**9 bytes, ``"1GiB"`` 2**30, ``"25%"`` a quarter of the
        memory that this process may use.
    name
        The name of the option, for messages.

    Returns
    -------
    int
        Bytes, 0 or more.

    Raises
    ------
    InvalidArgumentError
        If `size` is not a size.

    Examples
    --------
    >>> parse_size("1.5 MB"), parse_size("4KiB"), parse_size(12)
    (1500000, 4096, 12)
    """
    if isinstance(size, int | float) and not isinstance(size, bool) and 0 <= size < 2**63:
        return int(size)
    if isinstance(size, str) and (match := _SIZE.fullmatch(size)):
        number, unit = float(match[1]), match[2].lower()
        if unit == "%" and number <= 100:
            machine = memory_of_machine()
            if machine is None:
                raise InvalidArgumentError(f"{name}={size!r}: how much there is is not known; give bytes")
            return int(machine * number / 100)
        if unit in _UNITS and number * _UNITS[unit] < 2**63:
            return int(number * _UNITS[unit])
    raise InvalidArgumentError(
        f'{name} is a number of bytes or text such as "500MB", "2GiB" or "25%" (of memory), got {shown(size)}'
    )


def memory_of_machine(root: str = "") -> int | None:
    """Return the bytes of memory that this process may use: those of the machine, or of its container.

    Parameters
    ----------
    root
        The folder in which the file system of control groups is looked for.

    Returns
    -------
    int or None
        The minimum of the physical memory and the limits of the control groups of this process; None on a
        system that does not tell.
    """
    if not hasattr(os, "sysconf"):
        return None
    amounts = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for folder in _folders_of_groups(root):
        for name in _LIMITS:
            try:
                with open(os.path.join(folder, name), encoding="ascii") as file:
                    amounts.append(int(file.read()))
            except (OSError, ValueError):  # no such group, or "max"
                continue
    return min(amount for amount in amounts if amount > 0)


def _folders_of_groups(root: str) -> list[str]:
    """Return the folders of the control groups of this process, including the outer ones."""
    names = {"/"}
    try:
        with open(f"{root}/proc/self/cgroup", encoding="utf-8") as file:
            for line in file:
                _, controllers, name = line.rstrip("\n").split(":", 2)
                if controllers in ("", "memory") or "memory" in controllers.split(","):
                    names.add(name)
    except (OSError, ValueError):
        pass
    folders = []
    for name in names:
        parts = [part for part in name.split("/") if part and part != ".."]
        for count in range(len(parts) + 1):
            folders += [os.path.join(root + base, *parts[:count]) for base in _CGROUPS]
    return folders
