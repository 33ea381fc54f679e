"""Persisters, one module per kind of storage; none of them imports another."""

from holdall._lazy import modules_on_first_use

__getattr__, __dir__ = modules_on_first_use(
    __name__,
    "document files fsspec guards lmdb local_cache mapping mongo null obstore redis s3 script sql sqlite tar "
    "zip",
)
