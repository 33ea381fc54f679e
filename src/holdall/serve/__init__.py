"""A small read-only page over a store, for a browser on this machine: ``holdall serve ADDRESS``.

The server listens only on 127.0.0.1 and answers only requests with the secret part of its URL. It accepts no
other host name, so that no foreign page can reach it through a name that points here. Nothing can be changed
through it. Pages run no script, neither ours nor stored ones.
"""

from holdall.serve._server import ViewServer

__all__ = ["ViewServer"]
