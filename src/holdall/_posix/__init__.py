"""Files on disk, for all persisters: locks, replaced files, folders, trust, errors and forks.

This package knows no values, etags or stores, and imports only `holdall.errors`.

``errors``
    Which of our errors stands for an error of the system.
``names``
    The names of files, in UTF-8 whatever the locale.
``fork``
    What a forked child must forget, and never do for its parent.
``lock``
    Exclusive locks: ``flock`` with a timeout, or a lock file where the system cannot.
``replace``
    Replacing a file as a whole, with its owner, mode and attributes.
``folder``
    Entering, writing and cleaning folders through descriptors only.
``trust``
    Whether others could have written, or put in place, what is read.
``temporary``
    Folders that live no longer than the process.
``system``
    Whether the system can do all this.

It can be imported on any system; what needs POSIX raises an error when it is made.
"""
