"""A file system that ignores the case of names: exFAT in a file, by FUSE. Needs root and two packages."""

import contextlib
import os
import shutil
import subprocess

import pytest

TOOLS = ("mkfs.exfat", "mount.exfat-fuse", "losetup", "umount")


@contextlib.contextmanager
def mounted(folder):
    """Give the path of a new file system of 64 MB below a folder."""
    if os.geteuid() or not all(map(shutil.which, TOOLS)):
        pytest.skip("needs root, and the packages exfatprogs and exfat-fuse")
    image, place = folder / "image", folder / "mounted"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mkfs.exfat", image], check=True, capture_output=True)
    found = subprocess.run(["losetup", "-f", "--show", image], check=True, capture_output=True, text=True)
    device = found.stdout.strip()
    try:
        subprocess.run(["mount.exfat-fuse", device, place], check=True, capture_output=True)
        try:
            yield place
        finally:
            subprocess.run(["umount", place], check=True)
    finally:
        subprocess.run(["losetup", "-d", device], check=True)
