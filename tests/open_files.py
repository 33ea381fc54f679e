"""What this process has open in a folder."""

import gc
import os


def open_below(folder):
    """Return the sorted paths of all descriptors that lead to a folder, or below it; none without /proc.

    Others of the process are not counted: what earlier tests left may go at any time.
    """
    gc.collect()
    found = []
    if os.path.isdir("/proc/self/fd"):
        for fd in os.listdir("/proc/self/fd"):
            try:
                found.append(os.readlink(f"/proc/self/fd/{fd}"))
            except FileNotFoundError:  # that of the listing
                continue
    return sorted(path for path in found if path.startswith(str(folder)))
