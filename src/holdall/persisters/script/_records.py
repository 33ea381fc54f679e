"""The items of a data block: the newest record of each id is valid."""

from zlib import crc32

from holdall.persisters.script._format import (
    MARKERS,
    NEVER,
    Record,
    id_of_name,
    is_damaged,
    line_of,
    parse,
    place_of,
    quote_name,
    rejoined,
)


class Records:
    """The items of a block, and enough about removed ones to tell a deletion from a loss.

    Each record has a version, higher than all before it in the file. The highest version of an id is valid,
    wherever it is in the file: blocks may be merged or sorted.
    """

    def __init__(self) -> None:
        self.live: dict[str, tuple[bytes, bytes]] = {}  # by id: version and text
        self.dead: dict[str, bytes] = {}  # by deleted id: version
        self.top = NEVER  # the highest version
        self.floor = NEVER  # the highest version at the last compaction
        self.nbytes = 0  # of all records
        self.live_nbytes = 0  # of the valid records
        self.damaged: list[bytes] = []

    @classmethod
    def of(cls, block: bytes) -> "Records":
        """Read a block, beginning with its marker."""
        records = cls()
        records.read(block)
        return records

    def read(self, lines: bytes) -> None:
        """Read lines at the end of the block."""
        odd = False
        live, top = self.live, self.top
        for line in lines.split(b"\n"):
            # parse() and apply() are inlined, for the usual record of a new item: opening a thousand of them
            # takes half the time.
            body = line[2:-9]
            if line[2:3] != b'"' and b"%08x" % crc32(body) == line[-8:] and line[:2] == b"# ":
                head, _, version = body.rpartition(b" #: ")
                name, equals, text = head.partition(b" = ")
                id = name.decode()
                if equals and len(version) == 16 and id not in live and id not in self.dead:
                    live[id] = version, text
                    if version > top:
                        self.top = top = version
                    self.nbytes += len(line) + 1
                    self.live_nbytes += len(line) + 1
                    continue
            record = parse(line)
            if record is not None:
                self.apply(record, len(line) + 1)
                top = self.top
            elif line[:2] == b"# ":
                odd = odd or not MARKERS.fullmatch(line)
        if odd:
            self._look_closer(lines.split(b"\n"))

    def apply(self, record: Record, size: int) -> None:
        """Add a record of so many bytes."""
        name, text, version = record
        self.nbytes += size
        self.top = max(self.top, version)
        if not name:
            self.floor = max(self.floor, version)
            return
        id = id_of_name(name)
        known = self.live.get(id)
        newest = self.dead.get(id, NEVER) if known is None else known[0]
        if version < newest:
            return
        if known is not None:
            self.live_nbytes -= _size(name, known[1])
        if text is None:
            self.live.pop(id, None)
            self.dead[id] = version
        else:
            self.live[id] = (version, text)
            self.live_nbytes += _size(name, text)
            if self.dead:
                self.dead.pop(id, None)

    def put(self, id: str, text: bytes, version: bytes, size: int) -> None:
        """Add a record of an item that was just written, and so is the newest of all."""
        known = self.live.get(id)
        self.live[id] = version, text
        self.top = version
        self.nbytes += size
        if known is None:
            self.live_nbytes += size
            self.dead.pop(id, None)
        else:
            self.live_nbytes += len(text) - len(known[1])

    def _look_closer(self, lines: list[bytes]) -> None:
        """Examine the lines that are not records."""
        wrapped = find_wrapped(lines)
        for _, record in wrapped.values():
            self.apply(record, 0)
        ends = {last for last, _ in wrapped.values()}
        self.damaged += [
            line.rstrip()
            for number, line in enumerate(lines)
            if number not in ends and is_damaged(line) and parse(line) is None
        ]

    def lost_in(self, newer: "Records") -> list[Record]:
        """Return our records that are missing, without explanation, in a later state of the file.

        An editor that saves an older state undoes our last writes. A compaction leaves out deleted and
        replaced records, and says up to which version.
        """
        lost = []
        for id, (version, text) in self.live.items():
            if version > newer.version(id) and version > newer.floor:
                lost.append(Record(quote_name(id), text, version))
        for id, version in self.dead.items():
            if id in newer.live and version > newer.version(id):
                lost.append(Record(quote_name(id), None, version))
        return lost

    def version(self, id: str) -> bytes:
        """Return the version of the newest record of an id."""
        known = self.live.get(id)
        return self.dead.get(id, NEVER) if known is None else known[0]

    @property
    def garbage(self) -> int:
        """Bytes that a compaction would free, or a little more."""
        return self.nbytes - self.live_nbytes


def find_wrapped(lines: list[bytes]) -> dict[int, tuple[int, Record]]:
    """Find the records that a formatter has wrapped; return last line and record by first line."""
    found: dict[int, tuple[int, Record]] = {}
    for number, line in enumerate(lines):
        if line[:2] == b"# " and parse(line) is None and (whole := rejoined(lines, number)):
            found[number] = whole
    return found


def compacted(block: bytes, records: Records, newline: bytes, note: bytes) -> bytes | None:
    """Return a block without outdated records; all other lines stay, in their order.

    Parameters
    ----------
    block
        The block, beginning with its marker.
    records
        The records of the block.
    newline
        The end of new lines.
    note
        The record of this compaction.

    Returns
    -------
    bytes
        The block; None if there is nothing to leave out.
    """
    lines = block.split(b"\n")
    out: list[bytes] = []
    wrapped = find_wrapped(lines)
    number, changed = 0, bool(wrapped)
    while number < len(lines):
        line = lines[number]
        last, record = wrapped.get(number, (number, parse(line)))
        if record is None:
            # Text after the last newline is the leftover of a killed writer, or was written by hand.
            out.append(line)
            if len(out) == 1:
                out.append(note + newline[:-1])
        elif record.name and _holds(record, records):
            # A wrapped record is written on one line again.
            out.append(line if last == number else line_of(*record) + newline[:-1])
        else:
            changed = changed or bool(record.name)
        number = last + 1
    return b"\n".join(out) if changed else None


def strange_lines(block: bytes, first: int) -> list[str]:
    """Return which lines of a block are not records.

    Parameters
    ----------
    block
        The block, beginning with its marker.
    first
        The number of its first line in the file.
    """
    said = []
    lines = block.split(b"\n")
    wrapped = find_wrapped(lines)
    parts = {part for number, (last, _) in wrapped.items() for part in range(number + 1, last + 1)}
    for number, line in enumerate(lines):
        if number in parts or not line.strip() or MARKERS.fullmatch(line) or parse(line) is not None:
            continue
        where = f"line {first + number}"
        if number in wrapped:
            said.append(f"{where} begins a record that was wrapped: compact() makes one line of it")
        elif is_damaged(line):
            said.append(f"{where} was a record and is changed: {place_of(line)}")
        elif number == len(lines) - 1:
            said.append(f"{where} is not finished: {place_of(line)}")
        else:
            said.append(f"{where} is no record: {place_of(line)}")
    return said


def _holds(record: Record, records: Records) -> bool:
    known = records.live.get(id_of_name(record.name))
    return known is not None and known == (record.version, record.text)


def _size(name: bytes, text: bytes) -> int:
    return len(name) + len(text) + 35  # "# ", " = ", " #: ", version, space, checksum, newline
