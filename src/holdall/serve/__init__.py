"""A small read-only page over a store, for a browser on this machine: ``holdall serve ADDRESS``.

The server listens on 127.0.0.1 alone and answers only who knows the secret part of its URL. It goes by no
other name, so that no page from elsewhere can reach it through a name that was made to point here. Nothing
can be changed through it. Pages run no script, neither of ours nor of what is stored.
"""

from holdall.serve._server import ViewServer

__all__ = ["ViewServer"]
