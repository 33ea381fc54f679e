"""A folder of sounds whose names tell what they are: instrument and number of the take.

Each file is read as samples; which takes there are is seen from the names alone.

    python examples/sounds.py [FOLDER]
"""

import math
import sys

from holdall import FileDirStore
from holdall.keys import Template
from holdall.serializers import Sound

RATE = 8000
SECONDS = 0.1


def tone(hertz: float) -> Sound:
    """Make a tone, as samples of 16 bits."""
    samples = (round(20_000 * math.sin(2 * math.pi * hertz * n / RATE)) for n in range(round(RATE * SECONDS)))
    return Sound(b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples), RATE)


if __name__ == "__main__":
    folder = sys.argv[1] if len(sys.argv) > 1 else "sounds"
    takes = FileDirStore(folder, serializer="wave", keys=Template("{instrument}/take_{number:03d}.wav"))
    takes.update({("flute", n): tone(440 + 10 * n) for n in range(3)})
    takes["drum", 1] = tone(80)
    print(sorted(takes))
    flutes = takes.get_subdict(("flute",))
    print(f"{len(flutes)} takes of the flute, {sum(len(sound.frames) for sound in flutes.values()):,} bytes")
    print("the last one recorded:", takes.newest_keys(1))
    assert takes["drum", 1] == tone(80)
