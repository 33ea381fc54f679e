"""A store in the script that uses it."""

import os
from contextlib import AbstractContextManager
from typing import Any

from holdall._options import Durability, Fallback, given
from holdall._posix.lock import TIMEOUT, check_timeout
from holdall._scripts import Origin, caller, check_fallback, origin_of
from holdall.abc import Persister, Serializer
from holdall.errors import UnsupportedError
from holdall.keys import AnyKeys, as_key_codec
from holdall.persisters.mapping import MappingPersister
from holdall.persisters.script import ScriptPersister
from holdall.serializers import get_serializer
from holdall.store import Store
from holdall.store._place import under
from holdall.store._typing import K, V

__all__ = ["ScriptStore"]


class ScriptStore(Store[K, V]):
    """The data at the end of a script as a dict: they move with it, in comment lines.

    Parameters
    ----------
    path
        The script. None for the file that contains the call.
    fallback
        What to do where that file cannot keep values (typed in, ``-c``, a notebook, an archive, frozen,
        installed, read-only): ``"error"``; ``"memory"``, to keep them until the process ends; ``"sidecar"``,
        to keep them in a file of the user, in ``~/.local/share/holdall``. Not with a path.
    serializer
        How values are written: None for ``"line"``, readable JSON where that is exact, else a pickle in
        base64; or as for other stores.
    keys
        How keys are named: None for `AnyKeys`, hashables made of literals with their types; ``str`` or
        ``tuple`` for paths, as in folders; a `KeyCodec`; or a pair of functions.
    create
        Whether to make an empty file at the path if there is none.
    durability
        What a returned write survives: ``"process"``, the death of the process, or ``"power"``, a power
        failure.
    timeout
        Seconds to wait for other writers; `StoreTimeoutError` names them.
    trust
        Whether to load pickles from a script that other users could have written. The script that contains
        the call is always trusted, since it runs.
    value_type
        A class or a tuple of classes that all values must be instances of.
    append_only
        Whether items can only be added.

    Raises
    ------
    UnsupportedError
        If the calling code has no file that can keep values, or the file is not a Python script.
    StoreNotFoundError
        If there is no file at the path.
    MismatchError
        If the data have a format of a later version.
    UntrustedStoreError
        If other users could have written the script at the path.

    Notes
    -----
    Threads and processes: any number may read and write; conditional operations are linearizable on the
    machine, plain writes included. After a crash: the script starts, and every returned write is there. Cost:
    one appended line per write, however many values there are; one system call per read. All values are kept
    in memory in serialized form: use another store for more than a megabyte.

    The page on formats describes the block. `Value` keeps a single value in it.

    Examples
    --------
    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "script.py")
    >>> store = ScriptStore(path, create=True)
    >>> store["count"] = 3
    >>> store["theme", 1] = {"accent": "#fa0"}
    >>> with open(path) as script:
    ...     print(script.read())
    <BLANKLINE>
    # === holdall data 1: kept by this script, edit above this line ===
    # count = 3 #: ...
    # "!('theme', 1)" = {"accent": "#fa0"} #: ...
    >>> ScriptStore(path).copy()
    {'count': 3, ('theme', 1): {'accent': '#fa0'}}
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        fallback: Fallback = "error",
        serializer: Any = None,
        keys: Any = None,
        create: bool = False,
        durability: Durability = "process",
        timeout: float = TIMEOUT,
        trust: bool = False,
        value_type: type | tuple[type, ...] | None = None,
        append_only: bool = False,
    ) -> None:
        options = given(locals())
        check_fallback(fallback)
        codec_of_values: Serializer[Any] = get_serializer("line" if serializer is None else serializer)
        codec_of_keys = AnyKeys() if keys is None else as_key_codec(keys)
        persister: Persister
        if path is None:
            persister = persister_for(origin_of(caller(self)), fallback, durability, check_timeout(timeout))
        else:
            guard = codec_of_values.executes_code and not trust
            persister = ScriptPersister(
                path, create=create, durability=durability, timeout=timeout, guard=guard
            )
        self._params = options
        self._assemble(
            persister,
            codec_of_keys,
            codec_of_values,
            value_type=value_type,
            append_only=append_only,
        )

    @property
    def _script(self) -> ScriptPersister | None:
        persister = under(self)[0]
        return persister if isinstance(persister, ScriptPersister) else None

    @property
    def path(self) -> str | None:
        """The file that keeps the values, absolute; None where they are kept in memory."""
        return None if self._script is None else self._script.path

    @property
    def nbytes(self) -> int:
        """Bytes that the data take in the script, including replaced values; 0 where they are in memory."""
        return 0 if self._script is None else self._script.nbytes

    def lock(self) -> AbstractContextManager[Any]:
        """Exclude all other writers of the script, threads and processes, during the context.

        Readers continue. The thread that has the lock may take it again.

        Examples
        --------
        >>> import tempfile
        >>> store = ScriptStore(os.path.join(tempfile.mkdtemp(), "script.py"), create=True)
        >>> with store.lock():
        ...     store["n"] = store.get("n", 0) + 1
        >>> store["n"]
        1
        """
        return under(self)[0].lock  # type: ignore[no-any-return]

    def check(self) -> list[str]:
        """Check every line of the data.

        Returns
        -------
        list of str
            Which lines are damaged or not data, one sentence each; empty if there are none.
        """
        return [] if self._script is None else self._script.check()

    def compact(self) -> int:
        """Rewrite the script without values that were replaced or deleted; all else stays.

        This happens automatically when most of the data are such values.

        Returns
        -------
        int
            Bytes by which the script is now shorter.

        Raises
        ------
        UnsupportedError
            If the file has several hard links.
        StoreUnavailableError
            If the file or its folder is not writable.
        """
        return 0 if self._script is None else self._script.compact()


def persister_for(
    origin: Origin, fallback: str, durability: Durability = "process", timeout: float = TIMEOUT
) -> Persister:
    """Return the persister for the values of some code: its file, or the fallback.

    Parameters
    ----------
    origin
        Where the code comes from.
    fallback
        As for `ScriptStore`.
    durability, timeout
        As for `ScriptStore`.

    Raises
    ------
    UnsupportedError
        If the file cannot keep values, and `fallback` is ``"error"``.
    """
    script: ScriptPersister | None = None
    if origin.path is not None and not origin.why:
        try:
            script = ScriptPersister(origin.path, durability=durability, timeout=timeout, runs=True)
        except UnsupportedError:  # for its encoding
            if fallback == "error":
                raise
        else:
            if script.writable or fallback == "error":
                return script  # readable; writing raises what to do
    if origin.testing or fallback == "memory":
        return MappingPersister({} if script is None else dict(script))
    if fallback == "error":
        raise origin.refuse()
    path = origin.sidecar
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    is_new = not os.path.exists(path)
    sidecar = ScriptPersister(path, create=True, durability=durability, timeout=timeout, guard=True)
    if is_new and script is not None:
        with sidecar.lock:
            sidecar.write_many((id, data) for id, data in script.items() if id not in sidecar)
    return sidecar
