"""What the records of a data block say together: the newest of each id holds."""

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
    """The items of a block, and enough of what is gone to tell a deletion from a loss.

    Each record has a version, higher than all before it in the file. The highest of an id holds, wherever
    it stands: blocks may be merged or sorted.
    """

    def __init__(self) -> None:
        self.live: dict[str, tuple[bytes, bytes]] = {}  # id to version and text
        self.dead: dict[str, bytes] = {}  # deleted id to version
        self.top = NEVER  # the highest version
        self.floor = NEVER  # the block was compacted when this was the highest version
        self.nbytes = 0  # of all records
        self.live_nbytes = 0  # of the records that hold
        self.damaged: list[bytes] = []

    @classmethod
    def of(cls, block: bytes) -> "Records":
        """Read a block, from its marker on."""
        records = cls()
        records.read(block)
        return records

    def read(self, lines: bytes) -> None:
        """Read lines that stand at the end of the block."""
        odd = False
        live, top = self.live, self.top
        for line in lines.split(b"\n"):
            # In line what parse() and apply() do, for the usual record of a new item: opening a thousand of
            # them takes half the time.
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
        """Take in a record, of so many bytes."""
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
        """Take in a record of an item that was just written, and so is the newest of all."""
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
        """Find out what the lines are that are no records."""
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
        """Give the records that we know and that a later reading of the file does not account for.

        An editor that saves what it read before our last writes undoes them. A compaction leaves out what
        is deleted or replaced, and says up to which version.
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
        """Give the version of the newest record of an id."""
        known = self.live.get(id)
        return self.dead.get(id, NEVER) if known is None else known[0]

    @property
    def garbage(self) -> int:
        """Bytes that a compaction would give back, or a little more."""
        return self.nbytes - self.live_nbytes


def find_wrapped(lines: list[bytes]) -> dict[int, tuple[int, Record]]:
    """Find the records that a formatter has wrapped: first line to last line and record."""
    found: dict[int, tuple[int, Record]] = {}
    for number, line in enumerate(lines):
        if line[:2] == b"# " and parse(line) is None and (whole := rejoined(lines, number)):
            found[number] = whole
    return found


def compacted(block: bytes, records: Records, newline: bytes, note: bytes) -> bytes | None:
    """Give a block without the records that hold no more; all other lines stay, in their order.

    Parameters
    ----------
    block
        From the marker on.
    records
        What the block says.
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
            # The text behind the last newline is what a killed writer left, or what somebody wrote there.
            out.append(line)
            if len(out) == 1:
                out.append(note + newline[:-1])
        elif record.name and _holds(record, records):
            # A wrapped record is written in one line again.
            out.append(line if last == number else line_of(*record) + newline[:-1])
        else:
            changed = changed or bool(record.name)
        number = last + 1
    return b"\n".join(out) if changed else None


def strange_lines(block: bytes, first: int) -> list[str]:
    """Say which lines of a block are no records.

    Parameters
    ----------
    block
        From the marker on.
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
