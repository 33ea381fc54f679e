"""The stores by backend: defaults and documentation, no mechanism."""

from holdall._lazy import modules_on_first_use

__getattr__, __dir__ = modules_on_first_use(
    __name__,
    "document files fsspec lmdb memory mongo multiformat null redis s3 script spill sql sql_rows sqlite tar "
    "zip",
)
