"""The version of holdall."""

__version__ = "0.2.0"
