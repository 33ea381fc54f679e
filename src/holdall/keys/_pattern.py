"""Regular expressions that are matched in linear time, and can be asked what their texts contain.

The `re` module backtracks: a pattern such as ``(a+)+b`` takes years for a hostile name of fifty characters.
Here a pattern becomes an automaton, made deterministic as far as the texts met so far need it.
"""

import re
from collections.abc import Callable
from typing import Any, NoReturn

from holdall.errors import InvalidArgumentError
from holdall.keys._value import shown

_MAX_STATES = 2000
# Hostile names could ask for any number of rows, or of characters in a row.
_MAX_CACHED = 512

_CLASS = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_ESCAPE = re.compile(
    r"\\(?:[dDwWsSnrtfva]|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|[^A-Za-z0-9])", re.DOTALL
)
_TIMES = re.compile(r"[*+?]|\{(?=[\d,])(\d*)(,?)(\d*)\}")
_SIMPLE_TIMES = {"*": (0, None), "+": (1, None), "?": (0, 1)}

_Node = tuple[Any, ...]
_Test = Callable[[str], Any]


class Pattern:
    """A regular expression for whole texts.

    Parameters
    ----------
    source
        Characters, classes, escapes, groups, alternatives and repetitions, as in `re`; what needs
        backtracking or position (look-around, back-references, anchors, flags) is refused.

    Raises
    ------
    InvalidArgumentError
        If the expression is not one of these.

    Notes
    -----
    Threads: any number may match; the cache is filled in atomic steps. Cost: about 50 ns a character.

    Examples
    --------
    >>> pattern = Pattern("(a+)+b")
    >>> pattern.matches("aab"), pattern.matches("a" * 5000)
    (True, False)
    >>> Pattern("-?[0-9]+").hides_end("-"), Pattern("-?[0-9]+").hides_start("-")
    (False, True)
    """

    def __init__(self, source: str) -> None:
        self.source = source
        try:
            re.compile(source)
        except (re.error, OverflowError, RecursionError) as error:
            raise InvalidArgumentError(f"{shown(source)} is no regular expression: {error}") from error
        # A state has either one edge (a test and where it leads) or steps that take no character.
        self._edges: list[tuple[_Test, int] | None] = [None]
        self._steps: list[list[int]] = [[]]
        self._rows: dict[frozenset[int], _Row] = {}
        self._first = self._build(_Parser(source).parse(), 0)
        self._start = self._row(frozenset({self._first}))

    def matches(self, text: str) -> bool:
        """Tell whether the expression matches the whole text.

        Parameters
        ----------
        text
            Any text.
        """
        row = self._start
        for char in text:
            row = row[char]
        return row.final

    def hides_end(self, separator: str) -> bool:
        """Tell whether a separator that follows may not be the first one after the first character.

        Parameters
        ----------
        separator
            What follows the text.

        Returns
        -------
        bool
            False if there is no such text.
        """
        # An earlier one lies in the text and what follows, but for its last character.
        return self._reaches(separator, None, separator[:-1])

    def hides_start(self, separator: str) -> bool:
        """Tell whether a separator that precedes may not be the last one.

        Parameters
        ----------
        separator
            What precedes the text.

        Returns
        -------
        bool
            False if there is no such text.
        """
        return self._reaches(separator, _progress(separator, separator[1:]), "")

    def _reaches(self, wanted: str, progress: int | None, after: str) -> bool:
        """Follow all texts at once, with how much of `wanted` they end with, None where that is ignored."""
        found = len(wanted)
        seen: set[tuple[int, int | None]] = set()
        waiting = [(self._first, progress)]
        while waiting:
            state, progress = here = waiting.pop()
            if progress == found or (state == 0 and _progress(wanted, after, progress or 0) == found):
                return True
            if here in seen:
                continue
            seen.add(here)
            waiting += [(step, progress) for step in self._steps[state]]
            edge = self._edges[state]
            if edge is not None:
                test, target = edge
                waiting.append((target, 0))  # by a character that is none of `wanted`
                if progress is not None:
                    chars = filter(test, set(wanted))
                    waiting += [(target, _progress(wanted, char, progress)) for char in chars]
        return False

    # ------------------------------------------------------------------ the automaton

    def _build(self, node: _Node, end: int) -> int:
        """Add the states of a node that lead to the state `end`; give the first one."""
        kind, *parts = node
        if kind == "char":
            return self._state((parts[0], end))
        if kind == "cat":
            for part in reversed(parts):
                end = self._build(part, end)
            return end
        if kind == "alt":
            return self._state(None, *(self._build(part, end) for part in parts))
        body, least, most = parts
        start = end
        if most is None:
            start = self._state(None, end)
            self._steps[start].append(self._build(body, start))
        else:
            for _ in range(most - least):
                start = self._state(None, end, self._build(body, start))
        for _ in range(least):
            start = self._build(body, start)
        return start

    def _state(self, edge: tuple[_Test, int] | None, *steps: int) -> int:
        if len(self._edges) >= _MAX_STATES:
            raise InvalidArgumentError(f"{shown(self.source)} repeats too much: make it smaller")
        self._edges.append(edge)
        self._steps.append(list(steps))
        return len(self._edges) - 1

    def _row(self, states: frozenset[int]) -> "_Row":
        """Give the row of some states, and of those reached from them without a character."""
        row = self._rows.get(states)
        if row is None:
            reached: set[int] = set()
            waiting = list(states)
            while waiting:
                state = waiting.pop()
                if state not in reached:
                    reached.add(state)
                    waiting += self._steps[state]
            edges = [edge for state in reached if (edge := self._edges[state]) is not None]
            row = _Row(self._row, edges, final=0 in reached)
            if len(self._rows) < _MAX_CACHED:
                row = self._rows.setdefault(states, row)
        return row


class _Row(dict[str, "_Row"]):
    """What each character leads to from one state of the deterministic automaton."""

    def __init__(
        self, row_of: Callable[[frozenset[int]], "_Row"], edges: list[tuple[_Test, int]], *, final: bool
    ) -> None:
        self.row_of = row_of
        self.edges = edges
        self.final = final

    def __missing__(self, char: str) -> "_Row":
        row = self.row_of(frozenset(target for test, target in self.edges if test(char)))
        if len(self) < _MAX_CACHED:
            self[char] = row
        return row


def _progress(wanted: str, text: str, progress: int = 0) -> int:
    """Give how much of `wanted` ends at the end of `text`, all of it if it occurred."""
    for char in text:
        if progress == len(wanted):
            break
        tail = wanted[:progress] + char
        while not wanted.startswith(tail):
            tail = tail[1:]
        progress = len(tail)
    return progress


class _Parser:
    """Reads a regular expression that `re` accepts, and refuses what no automaton does."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0

    def parse(self) -> _Node:
        return self._alternatives()  # `re` has seen that brackets close

    def _next(self) -> str:
        return self.source[self.at : self.at + 1]

    def _alternatives(self) -> _Node:
        branches = [self._sequence()]
        while self._next() == "|":
            self.at += 1
            branches.append(self._sequence())
        return branches[0] if len(branches) == 1 else ("alt", *branches)

    def _sequence(self) -> _Node:
        parts: list[_Node] = []
        while (char := self._next()) and char not in "|)":
            parts.append(self._repeated(self._atom(char)))
        return "cat", *parts

    def _repeated(self, atom: _Node) -> _Node:
        times = _TIMES.match(self.source, self.at)
        if not times:
            return atom
        self.at = times.end()
        if self._next() == "+":
            self._refuse("possessive repetition")
        if self._next() == "?":  # how much is taken first changes nothing for a whole text
            self.at += 1
        if times[0] in _SIMPLE_TIMES:
            return "rep", atom, *_SIMPLE_TIMES[times[0]]
        least = int(times[1] or 0)
        most = least if not times[2] else int(times[3]) if times[3] else None
        return "rep", atom, least, most

    def _atom(self, char: str) -> _Node:
        if char == "(":
            return self._group()
        if char in "^$":
            self._refuse("an anchor: the whole text is matched anyway")
        if char == "[":
            return self._one_of(_CLASS)
        if char == "\\":
            return self._one_of(_ESCAPE)
        self.at += 1
        return "char", re.compile(char).fullmatch if char == "." else char.__eq__

    def _group(self) -> _Node:
        self.at += 3 if self.source.startswith("(?:", self.at) else 1
        if self._next() == "?":
            self._refuse("a group with '?' other than (?:...)")
        node = self._alternatives()
        self.at += 1
        return node

    def _one_of(self, form: re.Pattern[str]) -> _Node:
        found = form.match(self.source, self.at)
        if not found:
            self._refuse(f"{self.source[self.at : self.at + 2]!r}")
        self.at = found.end()
        return "char", re.compile(found[0]).fullmatch

    def _refuse(self, what: str) -> NoReturn:
        raise InvalidArgumentError(
            f"{shown(self.source)} has {what}: use characters, classes, groups, | and repetitions only, "
            "which are matched in linear time",
        )
