"""The place of one value: what is stored, what the program holds of it, and whether that has changed."""

import atexit
import copy
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import CodeType, FrameType
from typing import Any

from holdall.abc import Persister
from holdall.conditional import ITEM_NOT_AVAILABLE, Joker, Sentinel
from holdall.errors import ConflictError, HoldallError, InvalidArgumentError, SerializationError
from holdall.keys import AnyKeys
from holdall.persisters.script import ScriptPersister
from holdall.serializers.line import LineSerializer
from holdall.store import Store, StorePersister
from holdall.store._mutable import IMMUTABLE, is_immutable

_COMMANDS = frozenset({Joker, Sentinel})
# Those of which equal ones are the same.
_PLAIN = frozenset({int, bool, str, type(None)})
#: Code and line that have read the value last, and which state of it; all threads together.
_NOT_READ: tuple[CodeType | None, int, Any] = (None, 0, None)
_codec = AnyKeys()
_serializer = LineSerializer()


class Slot:
    """One value of one script, shared by all `Value` objects of that name in this process.

    Parameters
    ----------
    place
        Where it is stored.
    key
        Under which key.
    default
        What it is as long as nothing is stored.

    Notes
    -----
    Threads: take turns by the mutex of the place, so that no order of locks can be wrong. What the program
    holds is one object: it is given again and again until the stored value changes.
    """

    def __init__(self, place: Persister, key: Any, default: Any) -> None:
        self.place = place
        self._in_script = isinstance(place, ScriptPersister)
        self._put: Callable[[str, bytes], str] = getattr(place, "put_etag", self._write)
        self.key = key
        self.id = _codec.encode(key)
        self.store: Store[Any, Any] = Store(place, keys=_codec, serializer=_serializer)
        self._place = StorePersister(self.store)
        self._default = default
        self._default_data: bytes | None = None if is_immutable(default) else self._dumped(default)
        self._read = _NOT_READ
        self._untouched = True  # nobody has had the default itself
        self._etag: Any = None  # of what is held; None: nothing yet
        self._held: Any = None
        self._data: bytes | None = None  # what is held, as it was when it was read or written; None: firm

    @property
    def mutex(self) -> AbstractContextManager[Any]:
        """What excludes the other threads."""
        return self.place.mutex if self._in_script else self.place.lock  # type: ignore[attr-defined]

    def get(self) -> Any:
        """Return the value as it is now."""
        with self.mutex:
            etag = self._stored_etag()
            if etag == self._etag:
                return self._held
            if self._has_changed():
                self._give_up()
            return self._load()

    def get_at(self, frame: FrameType) -> Any:
        """Give the value to a line of code, and remember which state of it that line knows."""
        with self.mutex:
            value = self.get()
            self._read = frame.f_code, frame.f_lineno, self._etag
        return value

    def set_at(self, frame: FrameType, value: Any) -> None:
        """Store what a line of code has made; warn if the value that it has read is stored no longer."""
        code, line, etag = self._read
        self._read = _NOT_READ
        if (code, line) != (frame.f_code, frame.f_lineno) or type(value) in _COMMANDS:
            self.set(value)
            return
        with self.mutex, self.place.lock:
            lost = etag is not None and self._stored_etag() != etag
            self.set(value)
        if lost:
            warnings.warn(
                f"{self.key!r} in {self.place.place} was read and then assigned in "
                f"{frame.f_code.co_filename}, line {line}, and stored by somebody else in between: their "
                "change is lost. Write it with an operator, as in `count.value += 1`, or with transform() or "
                "edit()",
                stacklevel=3,
            )

    def set(self, value: Any) -> None:
        """Store a value, or carry out a joker."""
        kind = type(value)
        with self.mutex:
            if kind in _COMMANDS:
                self.store[self.key] = value
                self._etag = self._data = None
                return
            if kind is type(self._held) and kind in _PLAIN and value == self._held and self._is_stored():
                return  # nothing to write, and the script stays as it is
            try:
                data = _serializer.dumps(value)
            except SerializationError:
                data = self._place.data_of(self.key, value)  # which says for which key it fails
            etag = self._put(self.id, data)
            if kind in IMMUTABLE:
                self._etag, self._held, self._data = etag, value, None
            else:
                self._hold(etag, value)

    def _write(self, id: str, data: bytes) -> str:
        return self.place.write(id, data).etag

    def _is_stored(self) -> bool:
        """Return whether what is held is stored just so."""
        known = self._etag is not None and self._etag is not ITEM_NOT_AVAILABLE
        return known and bool(self._stored_etag() == self._etag)

    def transform(self, function: Callable[[Any], Any]) -> Any:
        """Replace the value by a function of it; nobody's change is lost."""
        with self.mutex:
            self.save()
            result = self.store.transform_item(
                self.key,
                transformer=lambda old: function(self._fresh() if old is ITEM_NOT_AVAILABLE else old),
                n_retries=None,
            )
            if result.new_value is ITEM_NOT_AVAILABLE:
                self._etag = None
                return self.get()
            self._hold(result.resulting_etag, result.new_value)
            return result.new_value

    @contextmanager
    def edit(self) -> Iterator[Any]:
        """Give the value to be changed in place, alone with it, and store it afterwards."""
        with self.mutex, self.place.lock:
            self.save()
            value = self.get()
            etag, data = self._etag, self._dumped(value)
            try:
                yield value
            except BaseException:
                self._etag = self._data = None  # what was changed halfway is forgotten
                raise
            if self._etag == etag or (self._etag is not None and self._held is value):
                self.set(value)
            elif self._dumped(value) != data:
                raise InvalidArgumentError(
                    f"{self.key!r} was assigned inside of edit(), and what edit() gave was changed in place: "
                    "what was assigned is stored. Do one of both",
                )

    def reset(self) -> None:
        """Delete what is stored."""
        with self.mutex:
            self.store.discard(self.key)
            self._etag = self._data = None

    def save(self) -> bool:
        """Store what was changed in place; tell whether there was something."""
        with self.mutex:
            if not self._has_changed():
                return False
            try:
                stat = self.place.write(self.id, _serializer.dumps(self._held), self._etag)
            except ConflictError:
                self._give_up()
                return False
            self._hold(stat.etag, self._held)
            return True

    def settle(self) -> None:
        """Take what is held as it is for unchanged: it is another process that will store it."""
        if self._data is not None:
            self._data = self._dumped(self._held)

    # ------------------------------------------------------------------ what is held

    def _stored_etag(self) -> Any:
        try:
            return self.place.stat(self.id).etag
        except KeyError:
            return ITEM_NOT_AVAILABLE

    def _load(self) -> Any:
        """Read the value and hold on to it."""
        try:
            value, stat = self._place.read(self.key)  # value and etag as one snapshot
        except KeyError:
            value, self._untouched = (self._default if self._untouched else self._fresh()), False
            self._hold(ITEM_NOT_AVAILABLE, value)
        else:
            self._hold(stat.etag, value)
        return self._held

    def _hold(self, etag: Any, value: Any) -> None:
        self._etag, self._held = etag, value
        self._data = None if is_immutable(value) else self._dumped(value)

    def _has_changed(self) -> bool:
        """Return whether what is held was changed in place."""
        return self._data is not None and self._dumped(self._held) != self._data

    def _give_up(self) -> None:
        """Say that a change in place is lost, because somebody else has stored another value meanwhile."""
        self._etag = self._data = None
        warnings.warn(
            f"{self.key!r} in {self.place.place} was changed in place here, and stored by somebody else "
            "meanwhile; what they stored stays. Change it inside `with value.edit():`, or by operators",
            stacklevel=3,
        )

    def _fresh(self) -> Any:
        """Return the default as it was at first."""
        if self._default_data is None:
            return copy.deepcopy(self._default)
        return _serializer.loads(self._default_data)

    def _dumped(self, value: Any) -> bytes | None:
        try:
            return _serializer.dumps(value)
        except HoldallError:
            return None  # whoever stores it is told


# One slot a value and process, kept to the end: what is changed in place is noticed then.
_slots: dict[tuple[str, Any], Slot] = {}


def slot_of(known_as: str, place: Persister, key: Any, default: Any) -> Slot:
    """Return the slot of a value.

    Parameters
    ----------
    known_as
        What tells the place from others.
    place, key, default
        As for `Slot`.
    """
    name = known_as, _codec.encode(key)
    found = _slots.get(name)
    return _slots.setdefault(name, Slot(place, key, default)) if found is None else found


@atexit.register
def save_all() -> None:
    """Store what was changed in place, in all values of this process."""
    said: list[Warning | str] = []
    for slot in list(_slots.values()):
        try:
            slot.save()
        except Warning as warning:  # of `python -W error`: the others are stored before it ends this
            said.append(warning)
        except (HoldallError, OSError) as error:
            said.append(f"the change of {slot.key!r} in place was not stored: {error}")
    for what in said:
        warnings.warn(what, stacklevel=1)


def _after_fork() -> None:
    for slot in list(_slots.values()):
        slot.settle()


os.register_at_fork(after_in_child=_after_fork)
