"""The archive: named objects, their text, and the modules that contain them."""

import os
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

from holdall._options import DataFormat
from holdall.archive._files import remove_path, translating, unfinished_path
from holdall.archive.array_files import EXTENSIONS, checked_format, holds_arrays, write_arrays
from holdall.archive.build import build
from holdall.archive.emit import Unit
from holdall.archive.loader import loader_source
from holdall.archive.module import module_text, plain_text
from holdall.archive.naming import check_name, checked_name, module_name, shown
from holdall.archive.publish import Paths, backup, check_target, publish
from holdall.archive.writer import ArrayNames
from holdall.errors import InvalidArgumentError

__all__ = ["Archive"]

#: Elements of an array from which `Archive.save` writes it to a file, if no threshold was given.
DEFAULT_THRESHOLD = 1_000


class Archive:
    """Named Python objects as source, which is executed or imported to make them again, without holdall.

    Objects that are referred to several times are stored once, and cycles are kept: the copy has the
    structure of the original. The text is also for people: it can be read, compared and edited.

    Parameters
    ----------
    scoped
        Whether the names that the text itself needs are local to a function. If not, the statements are at
        the top level and delete these names in the end.
    array_threshold
        Arrays with more elements are not part of the text: `str` puts them into `data`, `save` into files
        beside the source. None is no limit for `str`, and 1000 elements for `save`.
    single_item_mode
        Whether the archive contains one value, which replaces the imported module.
    data_format
        The format of saved arrays: ``"npy"`` (one file each), ``"npz"``, or ``"hdf5"`` (by h5py).
    mmap
        Whether saved arrays are mapped into memory when they are loaded, instead of being read. Writing to
        them changes the copy in memory, never the file. Not for ``npz``.
    check_on_insert
        Whether `insert` checks at once that the values can be archived.
    allowed_names
        Names that may start with an underscore.
    gname_prefix
        The prefix of names in the text for objects without a name: ``_g0``, ``_g1`` and so on.
    backup_data
        Whether `save` with ``force=True`` keeps replaced files, with names that end in ``.bak``.
    data_name
        The dict from which the text takes the arrays that are not part of it.
    robust_replace, flat, tostring
        Accepted for compatibility with ``persist``, without effect: the text has the right names from the
        start.

    Attributes
    ----------
    data : dict
        Name -> array, for the arrays that the text of `str` refers to.

    Raises
    ------
    InvalidArgumentError
        If an option is refused; from `insert`, if a name is none.
    SerializationError
        If a value cannot be archived: from `insert` with ``check_on_insert=True``, else from `str` and
        `save`.

    Notes
    -----
    An archive is in memory until it is saved. Threads: one at a time. Processes: `save` replaces a module as
    a whole; an import meanwhile gets the old or the new one. After a crash: the old or the new one. Cost: the
    text of all values at once.

    Examples
    --------
    >>> from holdall import Archive
    >>> y = range(3)
    >>> archive = Archive(scoped=False)
    >>> archive.insert(a=1, b=[y, y])
    >>> print(archive)
    a = 1
    _g0 = range(0, 3)
    b = [_g0, _g0]
    del _g0
    try: del __builtins__, _arrays
    except NameError: pass
    >>> values = {}
    >>> exec(str(archive), values)
    >>> values
    {'a': 1, 'b': [range(0, 3), range(0, 3)]}
    """

    data_name = "_arrays"

    def __init__(
        self,
        *,
        scoped: bool = True,
        array_threshold: float | None = None,
        single_item_mode: bool = False,
        data_format: DataFormat = "npy",
        mmap: bool = False,
        check_on_insert: bool = False,
        allowed_names: Iterable[str] | None = None,
        gname_prefix: str = "_g",
        backup_data: bool = False,
        data_name: str | None = None,
        robust_replace: bool = True,
        flat: bool = True,
        tostring: bool = True,
    ) -> None:
        del robust_replace, flat, tostring
        self.scoped = scoped
        self.array_threshold = array_threshold
        self.single_item_mode = single_item_mode
        self.data_format = checked_format(data_format)
        self.mmap = mmap
        self.check_on_insert = check_on_insert
        self.allowed_names = list(allowed_names or ())
        checked_name(f"{gname_prefix}0")
        self.gname_prefix = gname_prefix
        self.backup_data = backup_data
        if data_name is not None:
            self.data_name = checked_name(data_name)
        self.env: dict[str, Any] = {}
        self.data: dict[str, Any] = {}
        self._values: dict[str, Any] = {}
        self._own: dict[str, int] = {}

    # ------------------------------------------------------------------ what is in it

    def insert(self, /, *objects: Any, env: Mapping[str, Any] | None = None, **values: Any) -> None:
        """Add objects to the archive, each with a name.

        They are kept by reference: changes of an object before the archive is saved are saved.

        Parameters
        ----------
        *objects
            Refused, with the message that a name is needed.
        env
            Names that `get_persistent_rep` hooks may use.
        **values
            The objects by name.

        Raises
        ------
        InvalidArgumentError
            If a name is invalid or is taken by another object, or for a second one in `single_item_mode`.
        SerializationError
            With `check_on_insert`, if an object cannot be archived.
        """
        if objects:
            raise InvalidArgumentError(
                f"Insert objects with a key: insert(x=3), not insert({shown(objects[0])})"
            )
        if env is not None and not isinstance(env, Mapping):
            raise InvalidArgumentError(
                f"env is a dict of names for hooks, got {type(env).__name__}: no value can have its name"
            )
        for name, value in values.items():
            check_name(name, self.allowed_names)
            if name == self.data_name:
                raise InvalidArgumentError(
                    f"{name!r} is what the text calls its arrays: choose another data_name"
                )
            if name in self._values and self._values[name] is not value:
                raise InvalidArgumentError(f"there is another object by the name {name!r} in the archive")
        new = [name for name in values if name not in self._values]
        if self.single_item_mode and len(new) + len(self._values) > 1:
            if len(new) > 1:
                raise InvalidArgumentError(f"Can't insert {len(new)} items when single_item_mode=True")
            there = next(iter(self._values))
            raise InvalidArgumentError(
                f"Can't insert {new[0]!r} into single_item_mode=True archive with {there!r}."
            )
        self.env.update(env or {})
        if self.check_on_insert:
            self._build(values, self._threshold(float("inf")), dict_name=self.data_name, lazy=False)
        self._values.update(values)

    def names(self) -> list[str]:
        """Return the names of the objects, in the order of insertion."""
        return list(self._values)

    @property
    def arch(self) -> list[tuple[str, Any, dict[str, Any]]]:
        """Name, object and names for hooks of each object."""
        return [(name, value, self.env) for name, value in self._values.items()]

    # ------------------------------------------------------------------ its text

    def __str__(self) -> str:
        return self._text(scoped=self.scoped)

    __repr__ = __str__

    def _text(self, *, scoped: bool) -> str:
        limit = self._threshold(float("inf"))
        arrays, eager, _ = self._build(
            self._values, limit, self.data_format, dict_name=self.data_name, lazy=False
        )
        self.data.update(arrays.data)
        self._own = {name: id(array) for name, array in arrays.data.items()}
        return plain_text(eager, scoped=scoped, arrays_name=self.data_name)

    def _threshold(self, default: float) -> float:
        return default if self.array_threshold is None else self.array_threshold

    def _build(
        self,
        values: Mapping[str, Any],
        threshold: float,
        data_format: DataFormat = "npy",
        *,
        dict_name: str,
        lazy: bool,
    ) -> tuple[ArrayNames, Unit, list[Unit]]:
        """Write the statements of values, and try them."""
        for name, identity in self._own.items():
            if name in self.data and id(self.data[name]) == identity:
                del self.data[name]
        self._own = {}
        arrays = ArrayNames(dict_name, () if lazy else self.data)
        eager, later = build(
            values,
            arrays,
            env=self.env,
            threshold=threshold,
            data_format=data_format,
            prefix=self.gname_prefix,
            lazy=lazy,
        )
        return arrays, eager, later

    def save_data(
        self,
        datafile: str | os.PathLike[str] | None = None,
        data_format: DataFormat | None = None,
        filename: str | None = None,
    ) -> tuple[str | None, list[str]]:
        """Save the arrays that the text of `str` refers to.

        Parameters
        ----------
        datafile
            The folder (``npy``) or file. Its extension is added if it has none.
        data_format
            As for `Archive`; None for that of the archive.
        filename
            Another name of `datafile`.

        Returns
        -------
        tuple
            Source that loads the arrays into the dict of `data_name` (None without a file), and the paths of
            the written files.

        Raises
        ------
        InvalidArgumentError
            If there is something else at the path: only arrays are replaced.
        SerializationError
            If `data_format` is not that of the archive, and does not keep an array.
        StoreUnavailableError, StoreFullError
            If they cannot be written.

        Examples
        --------
        >>> import tempfile
        >>> import numpy as np
        >>> from holdall import Archive
        >>> archive = Archive(array_threshold=5)
        >>> archive.insert(x=np.arange(10))
        >>> text = str(archive)
        >>> loader, files = archive.save_data(datafile=tempfile.mkdtemp() + "/arrays")
        >>> files
        ['.../arrays/array_0.npy']
        >>> values = {}
        >>> exec(loader + text, values)
        >>> values
        {'x': array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])}
        """
        target = filename if datafile is None else datafile
        kind = self.data_format if data_format is None else checked_format(data_format)
        if not self.data:
            self._text(scoped=False)
        if not self.data:
            return None, []
        if target is None:
            warnings.warn(
                f"Data arrays {sorted(self.data)} exist but no datafile specified. "
                f"Save data manually and populate in {self.data_name} dict.",
                UserWarning,
                stacklevel=2,
            )
            return None, []
        path = os.path.abspath(target)
        if kind != "npy" and not path.endswith((".npz", ".hd5", ".hf5", ".hdf5")):
            path += EXTENSIONS[kind]
        unfinished = unfinished_path(path)
        with translating(path, "the arrays cannot be written"):
            folder = kind == "npy"
            fine = folder and holds_arrays(path, self.data) if os.path.isdir(path) else not folder
            if os.path.lexists(path) and not fine:
                raise InvalidArgumentError(f"{path} exists, and is not what save_data wrote")
            os.makedirs(os.path.dirname(path), exist_ok=True)
            try:
                files = write_arrays(unfinished, self.data, kind)
                with backup(path, keep=self.backup_data):
                    os.rename(unfinished, path)
            finally:
                remove_path(unfinished)
        files = [path + file.removeprefix(unfinished) for file in files]
        return loader_source(self.data_name, path, list(self.data), kind), files

    def save(
        self,
        dirname: str | os.PathLike[str],
        name: str | None = None,
        *,
        package: bool = True,
        arrays_name: str | None = None,
        data_format: DataFormat | None = None,
        force: bool = False,
        clear_on_reload: bool = True,
        mmap: bool | None = None,
    ) -> str:
        """Save the archive as a package or module that can be imported without holdall.

        Large arrays are beside the source and are loaded on access. Everything that is written is tried
        first, and replaced at once: an import sees the old archive or the new one.

        Parameters
        ----------
        dirname
            The folder for the package or module, made if it does not exist.
        name
            The name to import; in `single_item_mode`, the name of the item if it is None.
        package
            Whether to make a package ``name/__init__.py``, with arrays in ``name/_arrays``, or a module
            ``name.py``, with arrays in ``name_arrays``.
        arrays_name
            The name of the arrays' folder or file, instead of `data_name`.
        data_format, mmap
            As for `Archive`; None for those of the archive.
        force
            Whether to replace existing files, and to accept the name of a module of the standard library.
        clear_on_reload
            Whether ``importlib.reload`` forgets names that are no longer in the archive.

        Returns
        -------
        str
            The path of the file of source.

        Raises
        ------
        InvalidArgumentError
            If there is no name or an invalid one, or something exists already.
        SerializationError
            If an object cannot be archived; the message says where it is. Nothing is written then.
        StoreUnavailableError, StoreFullError
            If it cannot be written. Existing files are untouched.

        Examples
        --------
        >>> import sys, tempfile
        >>> from holdall import Archive
        >>> folder = tempfile.mkdtemp()
        >>> archive = Archive()
        >>> archive.insert(model={"alpha": 0.5})
        >>> archive.save(folder, name="run_7")
        '.../run_7/__init__.py'
        >>> sys.path.append(folder)
        >>> import run_7
        >>> run_7.model
        {'alpha': 0.5}
        >>> sys.path.remove(folder)
        """
        directory = os.fspath(dirname)
        kind = self.data_format if data_format is None else checked_format(data_format)
        mapped = self.mmap if mmap is None else mmap
        if mapped and kind == "npz":
            raise InvalidArgumentError(
                "arrays in an npz file cannot be mapped: use data_format='npy' or 'hdf5'"
            )
        dict_name = self.data_name if arrays_name is None else checked_name(arrays_name)
        name = module_name(name, self._values, single=self.single_item_mode, force=force)
        paths = Paths.of(directory, name, dict_name, package=package)
        check_target(paths, directory, package=package, force=force)
        arrays, eager, later = self._build(
            self._values,
            self._threshold(DEFAULT_THRESHOLD),
            kind,
            dict_name=dict_name,
            lazy=not self.single_item_mode,
        )

        def source(path: str) -> str:
            return module_text(
                eager,
                later,
                names=self._values,
                scoped=self.scoped,
                arrays_name=dict_name,
                arrays=f"_Arrays({path!r}, {bool(mapped)})" if arrays.data else "",
                data_format=kind,
                single=next(iter(self._values)) if self.single_item_mode else None,
                forget=clear_on_reload and not self.single_item_mode,
            )

        if package and os.path.lexists(paths.folder) and not os.path.isdir(paths.folder):
            with translating(paths.folder, "the archive cannot be written"), backup(paths.folder):
                publish(paths, source, arrays.data, kind)
        else:
            publish(paths, source, arrays.data, kind, keep_backup=self.backup_data)
        return paths.path
