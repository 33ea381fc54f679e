"""A store in a folder, with one file per value."""

import itertools
import os
from typing import Any

from holdall._options import Durability, MmapMode, checked_path, given
from holdall._posix.lock import TIMEOUT
from holdall._posix.names import fs_name
from holdall.abc import KeyedSerializer, Serializer
from holdall.errors import InvalidArgumentError
from holdall.persisters.files import FilesPersister, recorded
from holdall.serializers import get_serializer
from holdall.store import Store
from holdall.store._place import under
from holdall.store._typing import K, V
from holdall.stores._case import folds_case
from holdall.stores._paths import LOOKED_AT, path_codec
from holdall.stores._recorded import recorded_keys, recorded_serializer

__all__ = ["FileDirStore"]


_OPTIONS_OF_PLACE = ("durability", "hidden", "max_levels")


class FileDirStore(Store[K, V]):
    """A folder as a dict: one plain file per value, safe among threads and processes.

    Parameters
    ----------
    path
        The folder; made by the first write. None for a private temporary one (mode 0700); its name is in
        `path`, and it is deleted with its last handle, or at the end of the process.
    serializer
        How values are written: a name (``"pickle"``, ``"json"``, ``"text"``, ``"bytes"``, ``"npy"``,
        ``"npz"``), a `Serializer`, or anything with ``dumps`` and ``loads``. None for the one that the folder
        was made with, or pickle for a new folder.
    keys
        How keys are named: None for `PathKeys`, text with ``/`` for folders; ``tuple`` for tuples of
        text; the text of a `Template`, as ``"{}.wav"``; a `KeyCodec`; or a pair of functions.
    suffix
        Suffix of all files; None for the serializer's own. Other files are ignored. Text and bytes have no
        suffix: without one all files are items, and no key can be below another one (``"a"`` and ``"a/b"``).
        Not allowed with a codec of your own in `keys`, which makes the whole names.
    durability
        What a returned write survives: ``"process"``, the death of the process, or ``"power"``, a power
        failure.
    read_only
        Whether to read an existing folder and never change it, not even its metadata.
    hidden
        Whether names may begin with a dot; otherwise such files are ignored.
    max_levels
        How many levels of folders are listed and written; 1 is the folder itself. None for the maximum, 100.
    timeout
        Seconds to wait for other writers; `StoreTimeoutError` names them.
    trust
        Whether to load pickles that other users could have written.
    mmap_mode
        For ``serializer="npy"``: ``"r"`` or ``"c"`` to map arrays from their files instead of reading them.
    value_type
        A class or a tuple of classes that all values must be instances of.
    append_only
        Whether items can only be added.

    Raises
    ------
    MismatchError
        If the folder was made with another serializer or key codec.
    StoreNotFoundError
        If the folder is only to be read and does not exist.
    InvalidArgumentError
        If an option is invalid.

    Notes
    -----
    Threads and processes: any number may read and write; each value is either the old or the new one as a
    whole, and conditional operations are linearizable on the machine, plain writes included. After a crash:
    every returned write is there, within its `durability`; leftovers are removed when the folder is next
    opened. Cost: about one ``open``, ``write`` and ``rename`` per write, one ``open`` and ``read`` per read.

    Files contain what the serializer wrote and nothing else. One hidden entry, ``.holdall``, contains the
    folder's metadata.

    Examples
    --------
    >>> store = FileDirStore(serializer="json")
    >>> store["theme/dark"] = {"accent": "#fa0"}
    >>> os.path.relpath(store.file_of("theme/dark"), store.path)
    'theme/dark.json'
    >>> store["theme/dark"]
    {'accent': '#fa0'}
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        serializer: Any = None,
        keys: Any = None,
        suffix: str | None = None,
        durability: Durability = "process",
        read_only: bool = False,
        hidden: bool = False,
        max_levels: int | None = None,
        timeout: float = TIMEOUT,
        trust: bool = False,
        mmap_mode: MmapMode | None = None,
        value_type: type | tuple[type, ...] | None = None,
        append_only: bool = False,
    ) -> None:
        options = given(locals())
        options["path"] = None if path is None else checked_path(path, "folder")
        self._set_up(options)

    def _set_up(
        self,
        options: dict[str, Any],
        folder: FilesPersister | None = None,
        *,
        fold_case: bool | None = None,
    ) -> None:
        """Compose the store from its options, in a folder of its own or with other stores in one folder."""
        path = options["path"]
        made = {} if path is None or folder is not None else recorded(path)
        chosen = options["serializer"] or recorded_serializer(made, repr(path))
        serializer = _serializer(chosen, options["mmap_mode"])
        named = options["keys"] is not None or options["suffix"] is not None
        codec = path_codec(
            options["keys"],
            options["suffix"],
            serializer,
            hidden=options["hidden"],
            fold_case=folds_case(made, path) if fold_case is None else fold_case,
        )
        if not named:
            codec = recorded_keys(made, serializer, codec)
        how: dict[str, Any] = {name: options[name] for name in _OPTIONS_OF_PLACE}
        how["guard"] = not options["trust"] and (
            serializer.runs_code if isinstance(serializer, KeyedSerializer) else serializer.executes_code
        )
        self._unseen = 0
        if folder is None:
            record = {"serializer": serializer.name, "keys": repr(codec)}
            persister = FilesPersister(
                path, read_only=options["read_only"], timeout=options["timeout"], record=record, **how
            )
            foreign = path is not None and not made.get("owned")
            names = list(itertools.islice(persister.ids(), LOOKED_AT)) if foreign else []
            if names:
                from holdall.stores._foreign import (  # noqa: PLC0415  (rarely needed)
                    fitted,
                    keeping_layout,
                    warn_of_unseen,
                )

                serializer = keeping_layout(serializer, persister)
                if made.get("keys") != repr(codec):
                    codec = fitted(codec, names, made.get("keys"))
                    persister.record["keys"] = repr(codec)
                self._unseen = len(names) - len(codec.decode_many(names))
                # With a serializer given, its first files may be about to be written.
                if self._unseen == len(names) and not (named or options["serializer"]):
                    warn_of_unseen(names, path, codec)
        else:
            persister = folder.sibling(**how)
        self._params = {**options, "serializer": chosen or serializer.name}
        self._assemble(
            persister,
            codec,
            serializer,
            value_type=options["value_type"],
            append_only=options["append_only"],
        )

    @property
    def serializer(self) -> Any:
        """How values are written."""
        serializer = super().serializer
        return getattr(serializer, "kept", serializer)

    @property
    def path(self) -> str:
        """The folder, absolute; reading this property makes a temporary one."""
        return str(self._files.path)

    @property
    def _files(self) -> FilesPersister:
        return under(self)[0]  # type: ignore[no-any-return]

    def _described(self) -> str:
        shown = super()._described()
        if self._unseen:
            return f"{shown}, where it does not see {self._unseen:,} files"
        path = self._params["path"]
        return shown if path is None or os.path.isdir(path) else f"{shown}, which is not made yet"

    def file_of(self, key: K) -> str:
        """Return the path of the file for the value of a key, even if there is none.

        Parameters
        ----------
        key
            A key, present or not.

        Raises
        ------
        InvalidKeyError
            If the key cannot be the name of a file.
        """
        persister, id = under(self, self._compiled.id(key))
        return os.path.join(str(persister.path), fs_name(str(id)))


def _serializer(spec: Any, mmap_mode: MmapMode | None) -> Serializer[Any]:
    if mmap_mode is None:
        return get_serializer(spec)
    if spec != "npy":
        raise InvalidArgumentError(f'mmap_mode is for serializer="npy", not for {spec!r}')
    get_serializer("npy")  # raises what to install if numpy is missing
    from holdall.serializers.npy import NpySerializer  # noqa: PLC0415  (needs numpy)

    return NpySerializer(mmap_mode=mmap_mode)
