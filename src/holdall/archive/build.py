"""Statements for named values, tried before they are used."""

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from holdall._options import DataFormat
from holdall.archive.check import check
from holdall.archive.emit import Unit, emit
from holdall.archive.graph import walk
from holdall.archive.objects import Describer
from holdall.archive.writer import ArrayNames

__all__ = ["build"]


def build(
    values: Mapping[str, Any],
    arrays: ArrayNames,
    *,
    env: Mapping[str, Any] | None = None,
    threshold: float = float("inf"),
    data_format: DataFormat = "npy",
    prefix: str = "_g",
    lazy: bool = False,
) -> tuple[Unit, list[Unit]]:
    """Write the statements that make named values, and try them.

    Parameters
    ----------
    values
        Name -> value.
    arrays
        Collects the external arrays.
    env
        Names that `get_persistent_rep` hooks may use.
    threshold
        Arrays of more elements are external.
    data_format
        The format of external arrays.
    prefix
        The prefix of generated names.
    lazy
        Whether names that need external arrays are made separately.

    Returns
    -------
    tuple
        The unit that makes values at once, and a list of units for those that are made on access.

    Raises
    ------
    SerializationError
        If something cannot be archived, or not be made again; the message says where it is.
    """
    with _without_collection():
        graph = walk(values, Describer(dict(env or {}), threshold, data_format))
        eager, later = emit(graph, arrays, prefix=prefix, lazy=lazy)
        for unit in (eager, *later):
            check(unit, arrays.data, arrays.dict_name)
    return eager, later


@contextmanager
def _without_collection() -> Iterator[None]:
    """Keep the garbage collector from walking over a growing graph repeatedly."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
