"""Stores for common tasks, each made from the parts of this library in a few lines.

Read them as examples: copy one, and change what you need.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from holdall._shown import shown
from holdall.errors import InvalidArgumentError, InvalidKeyError, StoreUnavailableError
from holdall.store import Store
from holdall.stores.files import FileDirStore
from holdall.wrappers import expiring, on_missing

__all__ = ["download", "web_cache"]


def web_cache(
    folder: str | os.PathLike[str] | None = None,
    *,
    max_age: float | None = None,
    fetch: Callable[[str], bytes] | None = None,
) -> Store[str, bytes]:
    """Return a dict of web pages by URL: ``cache[url]`` downloads a missing page, and keeps it.

    Parameters
    ----------
    folder
        Where pages are kept; None for a folder of the user, the same each time: ``holdall/web`` in the folder
        that the environment variable ``XDG_CACHE_HOME`` names, or in ``~/.cache``.
    max_age
        After how many seconds a page is downloaded again; None for never.
    fetch
        The function that downloads; None for `download`.

    Returns
    -------
    Store
        ``in``, ``len`` and iteration see the kept pages; ``del`` drops a page, so that the next access
        downloads it again.

    Examples
    --------
    >>> import tempfile
    >>> pages = web_cache(tempfile.mkdtemp(), fetch=lambda url: b"page of " + url.encode())
    >>> pages["http://example.org/a?b=1"]
    b'page of http://example.org/a?b=1'
    >>> list(pages), "http://example.org/c" in pages
    (['http://example.org/a?b=1'], False)
    """
    if folder is None:
        home = os.environ.get("XDG_CACHE_HOME") or os.path.join(Path.home(), ".cache")
        folder = os.path.join(home, "holdall", "web")
    # With a suffix, the pages "x" and "x/y" can both be kept.
    store: Any = FileDirStore[str, bytes](folder, serializer="bytes", suffix=".page")
    if max_age is not None:
        if type(max_age) not in (int, float) or not max_age > 0:
            raise InvalidArgumentError(
                f"max_age is a number of seconds, more than 0, or None, got {shown(max_age)}"
            )
        store = expiring(store, ttl=max_age)
    return on_missing(store, compute=download if fetch is None else fetch)  # type: ignore[no-any-return]


def download(url: str, *, timeout: float = 30.0) -> bytes:
    """Return the content of a web page.

    Parameters
    ----------
    url
        It begins with ``http://`` or ``https://``.
    timeout
        Seconds to wait for the server.

    Raises
    ------
    KeyError
        If the server says that there is no such page (404 or 410).
    InvalidKeyError
        If it is not a web URL: files of this machine are not read.
    StoreUnavailableError
        If the server does not answer, or refuses.
    """
    import urllib.error  # noqa: PLC0415  (slow to import)
    import urllib.request  # noqa: PLC0415

    given: Any = url
    if not isinstance(given, str) or not url.startswith(("http://", "https://")):
        raise InvalidKeyError(f"a page is named by http://... or https://..., got {shown(url)}")
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:  # noqa: S310  (checked above)
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            if error.code in {404, 410}:
                raise KeyError(url) from error
            raise StoreUnavailableError(0, f"the page cannot be downloaded: {error}", url) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)  # of a URLError, which has no number of its own
        number = getattr(reason, "errno", None) or 0
        raise StoreUnavailableError(number, f"the page cannot be downloaded: {reason}", url) from error
