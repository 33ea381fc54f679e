"""The machine room of all places on disk: locks, replaced files, folders, trust, errors and forks, once.

It knows no values, etags or stores, and imports only `holdall.errors`. Each module answers one question:

``errors``
    What does the system say, and which error of ours is that?
``names``
    What is a text called on disk? UTF-8, whatever the locale.
``fork``
    What must a forked child forget, and never do for its parent?
``lock``
    Who writes? ``flock`` with a timeout, or a file beside where the system cannot.
``replace``
    How does a new file take the place of an old one, whole, with its owner, mode and attributes?
``folder``
    How is a folder entered, written and cleaned through descriptors only?
``trust``
    Could somebody else have written, or put in place, what is read?
``temporary``
    Where does what lives no longer than the process lie?

It can be imported on any system; what needs POSIX says so when it is made.
"""
