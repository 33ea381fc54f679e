"""What all that opens files of SQLite has in common.

``connections``
    Connections at rest while the process forks, and closed in the child.
``errors``
    Which of our errors stands for an error of SQLite.
"""
