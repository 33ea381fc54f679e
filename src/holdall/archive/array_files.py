"""The files of arrays: written once, under new names."""

import io
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from holdall._options import DataFormat
from holdall.errors import InvalidArgumentError, SerializationError

__all__ = ["EXTENSIONS", "checked_format", "holds_arrays", "write_arrays"]

#: By format: the ending of the name of the arrays; npy has a folder of files.
EXTENSIONS = {"npy": "", "npz": ".npz", "hdf5": ".hd5"}


def checked_format(data_format: DataFormat) -> DataFormat:
    """Return the format of arrays, or raise `InvalidArgumentError`."""
    if data_format not in EXTENSIONS:
        raise InvalidArgumentError(f"Expected data_format in ['hdf5', 'npz', 'npy'], got {data_format!r}")
    return data_format


def holds_arrays(path: str, names: Iterable[str] = ()) -> bool:
    """Return whether a folder has nothing in it but files of arrays, those of these names among them."""
    files = {f"{name}.npy" for name in names}
    return all(name in files or re.match(r"array_\d+\.npy", name) for name in os.listdir(path))


def write_arrays(path: str, arrays: Mapping[str, Any], data_format: str) -> list[str]:
    """Write arrays into new files; return their paths.

    Parameters
    ----------
    path
        The folder (npy) or file (npz, hdf5), with its extension. It must not exist.
    arrays
        Name -> array, of dtypes that the format keeps.
    data_format
        ``npy``, ``npz`` or ``hdf5``.
    """
    if not arrays:
        return []
    if data_format == "npy":
        os.mkdir(path)
        paths = {name: os.path.join(path, f"{name}.npy") for name in arrays}
        for name, array in arrays.items():
            _write_npy(paths[name], array)
        return list(paths.values())
    if data_format == "npz":
        import numpy as np  # noqa: PLC0415  (there are arrays)

        with open(path, "xb") as file:
            np.savez(file, allow_pickle=False, **arrays)
    else:
        _write_hdf5(path, arrays)
    return [path]


def _write_npy(path: str, array: Any) -> None:
    """Write an array, or raise an error with the reason."""
    import numpy as np  # noqa: PLC0415  (there are arrays)

    with open(path, "xb") as file:
        try:
            np.save(file, array, allow_pickle=False)
        except OSError as error:
            if error.errno is None:  # numpy does not report the reason
                _write_more(file.fileno())
            raise


def _write_more(fd: int) -> None:
    """Write more to a file after a failure, to get the error of the system."""
    os.lseek(fd, 0, os.SEEK_END)
    for _ in range(3):  # the first may fill what is left of a block
        os.write(fd, bytes(1 << 16))


def _write_hdf5(path: str, arrays: Mapping[str, Any]) -> None:
    """Write arrays as data sets of a new file of HDF5."""
    import h5py  # noqa: PLC0415  (only here)

    with _LastingFile(path, "x+b") as target:
        with h5py.File(target, "w", libver=("earliest", "v110")) as file:
            for name, array in arrays.items():
                try:
                    file.create_dataset(name, data=array)
                except (TypeError, ValueError) as error:
                    raise SerializationError(
                        f"array {name!r} of dtype {array.dtype!s:.80} was not saved as HDF5: {error}; "
                        "an archive made with data_format='hdf5' saves it"
                    ) from error
        if target.error is not None:
            raise target.error


class _LastingFile(io.FileIO):
    """A file that keeps its first failure for later: HDF5 could not close it, and would keep it open."""

    error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all of the data, unless something has failed."""
        view = memoryview(data).cast("B")
        try:
            while view and self.error is None:
                view = view[super().write(view) :]
        except OSError as error:
            self.error = error
        return len(data)
