"""The path of the file of an id, and whether an id can have one."""

import os
from collections.abc import Callable
from functools import partial
from os import close as os_close
from typing import Any

from holdall._posix.errors import ABSENT, translate, translating
from holdall._posix.folder import RESERVED, Folder, Opened
from holdall._shown import shown
from holdall.errors import InvalidKeyError, StoreUnavailableError
from holdall.persisters.files._system import open_for_reading

__all__ = ["Finder"]


class Finder:
    """The way to the files below a folder.

    Parameters
    ----------
    folder
        The folder.
    hidden
        Whether names may start with a dot.
    levels
        How many levels of folders ids may have.
    """

    def __init__(self, folder: Folder, *, hidden: bool, levels: int) -> None:
        self._folder = folder
        self.hidden = hidden
        self.levels = levels

    def check(self, id: str) -> None:
        """Raise `InvalidKeyError` for an id that cannot be the name of a file."""
        if not RESERVED.isdisjoint(id.split("/")):
            raise InvalidKeyError(f"{id!r} cannot be the name of a file in {self._folder.place}")
        if self._is_hidden(id):
            raise InvalidKeyError(f"{id!r} is a hidden name: open {self._folder.place} with hidden=True")
        self._check_depth(id)

    def _is_hidden(self, id: str) -> bool:
        return not self.hidden and (id[:1] == "." or "/." in id)

    def _check_depth(self, id: str) -> None:
        if id.count("/") >= self.levels:
            raise InvalidKeyError(
                f"{shown(id)} lies deeper than the {self.levels} levels of {self._folder.place}"
            )

    def find(
        self,
        id: Any,
        action: Callable[[str, int], Any],
        doubts: list[str] | None = None,
        use: Opened | None = None,
    ) -> Any:
        """Call a function with the file of an id, by its name and the descriptor of its folder.

        Parameters
        ----------
        id
            The id.
        action
            The function.
        doubts
            Where to add reasons not to trust the folders on the way.
        use
            The open folder, if the caller has just seen that it is the one at its path.

        Raises
        ------
        KeyError
            If there is no such file, or it is an impossible id.
        """
        if isinstance(id, str) and self._is_hidden(id):
            raise KeyError(id)  # not listed either
        for again in (True, False):
            try:
                if use is None:
                    use = self._folder.opened
                    if not use.exists():
                        with translating(f"{id!r} cannot be read", self._folder.place):
                            use = self._folder.open()
                if use is None:
                    break
                fd, name = self._locate(use, id, doubts)
                try:
                    return action(name, fd)
                finally:
                    if fd != use.root:
                        os.close(fd)
            except StoreUnavailableError:
                raise
            except OSError as error:
                if error.errno not in ABSENT:
                    raise translate(error, f"{id!r} cannot be read", self._folder.place) from error
                if not (again and self._gone()):
                    break
                use = None
            except (ValueError, TypeError, AttributeError, InvalidKeyError):
                break  # an impossible name of a file
        raise KeyError(id)

    def open(self, id: Any, doubts: list[str] | None) -> int:
        """Return a descriptor of the file of an id, in whatever folder; raise as `find` does."""
        opened: list[int] = []
        try:
            self.find(id, partial(open_for_reading, opened), doubts)
            (fd,) = opened
        except BaseException:
            for fd in opened:
                os_close(fd)
            raise
        return fd

    def _locate(self, use: Opened, id: str, doubts: list[str] | None) -> tuple[int, str]:
        """Open the folder of an id; return the root's own descriptor for an id without a folder."""
        *folders, name = id.split("/")
        self._check_depth(id)
        if not folders:
            return use.root, name
        return use.enter(folders, doubts=doubts), name

    def _gone(self) -> bool:
        """Return whether the folder was deleted, and perhaps made again, since it was opened."""
        if self._folder.opened.exists():
            return False
        self._folder.close()
        return True
