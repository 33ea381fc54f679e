"""The state of one value: what is stored, what the program holds, and whether that has changed."""

import atexit
import copy
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import CodeType, FrameType
from typing import Any

from holdall._posix.fork import at_fork
from holdall.abc import Persister
from holdall.conditional import ITEM_NOT_AVAILABLE, Joker, Sentinel
from holdall.errors import ConflictError, HoldallError, InvalidArgumentError, SerializationError
from holdall.keys import AnyKeys
from holdall.persisters.script import ScriptPersister
from holdall.serializers.line import LineSerializer
from holdall.store import Store, StorePersister
from holdall.store._mutable import IMMUTABLE, is_immutable

_COMMANDS = frozenset({Joker, Sentinel})
# Types whose equal values are the same.
_PLAIN = frozenset({int, bool, str, type(None)})
#: Code and line that last read the value, and its state then; for all threads together.
_NOT_READ: tuple[CodeType | None, int, Any] = (None, 0, None)
_codec = AnyKeys()
_serializer = LineSerializer()


class Slot:
    """One value of one script, shared by all `Value` objects of that name in this process.

    Parameters
    ----------
    persister
        The persister that stores it.
    key
        Its key.
    default
        The value while nothing is stored.

    Notes
    -----
    Threads: take turns by the mutex of the persister, so that there are no deadlocks. The program gets the
    same object each time until the stored value changes.
    """

    def __init__(self, persister: Persister, key: Any, default: Any) -> None:
        self.persister = persister
        self._in_script = isinstance(persister, ScriptPersister)
        # A script tells and gives etags without the cost of a stat.
        self._etag_of: Callable[[str], str] = getattr(persister, "etag_of", self._etag_by_stat)
        self._put: Callable[[str, bytes], str] = getattr(persister, "put_etag", self._write)
        self.key = key
        self.id = _codec.encode(key)
        self.store: Store[Any, Any] = Store(persister, keys=_codec, serializer=_serializer)
        self._stored = StorePersister(self.store)
        self._default = default
        self._default_data: bytes | None = None if is_immutable(default) else self._dumped(default)
        self._read = _NOT_READ
        self._untouched = True  # the default itself was never handed out
        self._etag: Any = None  # of the held value; None: nothing yet
        self._held: Any = None
        self._data: bytes | None = None  # the held value when it was read or written; None: immutable

    @property
    def mutex(self) -> AbstractContextManager[Any]:
        """The lock that excludes the other threads."""
        return self.persister.mutex if self._in_script else self.persister.lock  # type: ignore[attr-defined]

    def get(self) -> Any:
        """Return the present value."""
        with self.mutex:
            return self._get()

    def _get(self) -> Any:
        """Return the present value; the caller has the mutex."""
        if self._stored_etag() == self._etag:
            return self._held
        if self._has_changed():
            self._give_up()
        return self._load()

    def get_at(self, frame: FrameType) -> Any:
        """Return the value to a line of code, and remember which state of it that line has seen."""
        with self.mutex:
            value = self._get()
            self._read = frame.f_code, frame.f_lineno, self._etag
        return value

    def set_at(self, frame: FrameType, value: Any) -> None:
        """Store the result of a line of code; warn if the value that it has read is no longer stored."""
        code, line, etag = self._read
        self._read = _NOT_READ
        if (code, line) != (frame.f_code, frame.f_lineno) or type(value) in _COMMANDS:
            self.set(value)
            return
        with self.persister.lock:  # excludes threads too
            lost = etag is not None and self._stored_etag() != etag
            self._set(value)
        if lost:
            warnings.warn(
                f"{self.key!r} in {self.persister.place} was read and then assigned in "
                f"{frame.f_code.co_filename}, line {line}, and stored by somebody else in between: their "
                "change is lost. Write it with an operator, as in `count.value += 1`, or with transform() or "
                "edit()",
                stacklevel=3,
            )

    def set(self, value: Any) -> None:
        """Store a value, or carry out a joker."""
        with self.mutex:
            self._set(value)

    def _set(self, value: Any) -> None:
        """Store a value; the caller has the mutex."""
        kind = type(value)
        if kind in _COMMANDS:
            self.store[self.key] = value
            self._etag = self._data = None
            return
        if kind is type(self._held) and kind in _PLAIN and value == self._held and self._is_stored():
            return  # nothing to write: the script does not change
        try:
            data = _serializer.dumps(value)
        except SerializationError:
            data = self._stored.data_of(self.key, value)  # names the key on failure
        etag = self._put(self.id, data)
        if kind in IMMUTABLE:
            self._etag, self._held, self._data = etag, value, None
        else:
            self._hold(etag, value)

    def _etag_by_stat(self, id: str) -> str:
        return str(self.persister.stat(id).etag)

    def _write(self, id: str, data: bytes) -> str:
        return self.persister.write(id, data).etag

    def _is_stored(self) -> bool:
        """Return whether the held value is what is stored."""
        known = self._etag is not None and self._etag is not ITEM_NOT_AVAILABLE
        return known and bool(self._stored_etag() == self._etag)

    def transform(self, function: Callable[[Any], Any]) -> Any:
        """Replace the value by a function of it; no concurrent change is lost."""
        with self.persister.lock:  # excludes threads too
            value = self._get()
            if is_immutable(value) and self._etag is not ITEM_NOT_AVAILABLE:
                # It cannot change in place, so there is nothing to undo if the function fails.
                self._set(function(value))
                return self._get() if self._etag is None else self._held
            self.save()
            result = self.store.transform_item(
                self.key,
                transformer=lambda old: function(self._fresh() if old is ITEM_NOT_AVAILABLE else old),
                n_retries=None,
            )
            if result.new_value is ITEM_NOT_AVAILABLE:
                self._etag = None
                return self._get()
            self._hold(result.resulting_etag, result.new_value)
            return result.new_value

    @contextmanager
    def edit(self) -> Iterator[Any]:
        """Yield the value to be changed in place, exclusively, and store it afterwards."""
        with self.persister.lock:  # excludes threads too
            self.save()
            value = self._get()
            etag, data = self._etag, self._dumped(value)
            try:
                yield value
            except BaseException:
                self._etag = self._data = None  # a half-made change is dropped
                raise
            if self._etag == etag or (self._etag is not None and self._held is value):
                self._set(value)
            elif self._dumped(value) != data:
                raise InvalidArgumentError(
                    f"{self.key!r} was assigned inside of edit(), and what edit() gave was changed in place: "
                    "what was assigned is stored. Do one of both",
                )

    def reset(self) -> None:
        """Delete the stored value."""
        with self.mutex:
            self.store.discard(self.key)
            self._etag = self._data = None

    def save(self) -> bool:
        """Store a value that was changed in place; return whether there was one."""
        with self.mutex:
            if not self._has_changed():
                return False
            try:
                stat = self.persister.write(self.id, _serializer.dumps(self._held), self._etag)
            except ConflictError:
                self._give_up()
                return False
            self._hold(stat.etag, self._held)
            return True

    def settle(self) -> None:
        """Take the held value as unchanged: another process will store it."""
        if self._data is not None:
            self._data = self._dumped(self._held)

    # ------------------------------------------------------------------ what is held

    def _stored_etag(self) -> Any:
        try:
            return self._etag_of(self.id)
        except KeyError:
            return ITEM_NOT_AVAILABLE

    def _load(self) -> Any:
        """Read the value and hold it."""
        try:
            value, stat = self._stored.read(self.key)  # value and etag as one snapshot
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
        """Return whether the held value was changed in place."""
        return self._data is not None and self._dumped(self._held) != self._data

    def _give_up(self) -> None:
        """Warn that a change in place is lost, because another value was stored meanwhile."""
        self._etag = self._data = None
        warnings.warn(
            f"{self.key!r} in {self.persister.place} was changed in place here, and stored by somebody else "
            "meanwhile; what they stored stays. Change it inside `with value.edit():`, or by operators",
            stacklevel=3,
        )

    def _fresh(self) -> Any:
        """Return the default in its original state."""
        if self._default_data is None:
            return copy.deepcopy(self._default)
        return _serializer.loads(self._default_data)

    def _dumped(self, value: Any) -> bytes | None:
        try:
            return _serializer.dumps(value)
        except HoldallError:
            return None  # storing it will raise


# One slot per value and process, kept to the end, so that changes in place are noticed then.
_slots: dict[tuple[str, Any], Slot] = {}


def slot_of(known_as: str, persister: Persister, key: Any, default: Any) -> Slot:
    """Return the slot of a value.

    Parameters
    ----------
    known_as
        What identifies the persister.
    persister, key, default
        As for `Slot`.
    """
    name = known_as, _codec.encode(key)
    found = _slots.get(name)
    return _slots.setdefault(name, Slot(persister, key, default)) if found is None else found


@atexit.register
def save_all() -> None:
    """Store all values of this process that were changed in place."""
    said: list[Warning | str] = []
    for slot in list(_slots.values()):
        try:
            slot.save()
        except Warning as warning:  # with `python -W error`: store the others before raising it
            said.append(warning)
        except (HoldallError, OSError) as error:
            said.append(f"the change of {slot.key!r} in place was not stored: {error}")
    for what in said:
        warnings.warn(what, stacklevel=1)


def _after_fork() -> None:
    for slot in list(_slots.values()):
        slot.settle()


at_fork(after_in_child=_after_fork)
