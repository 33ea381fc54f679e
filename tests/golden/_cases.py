"""Every format on disk, by name."""

from golden import _packages, _stores
from golden._case import CASES, KEY

__all__ = ["CASES", "KEY", "_packages", "_stores"]
