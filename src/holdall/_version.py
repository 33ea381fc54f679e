"""The version of holdall."""

__version__ = "0.1.0"
