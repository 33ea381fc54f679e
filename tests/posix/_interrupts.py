"""Interrupts at every point at which Python looks for signals, one after the other."""

import dis
import functools
import operator
import sys
import threading
import traceback
from contextlib import contextmanager

# Python looks for signals after these instructions: at the start of a function, after a call of C, in a loop.
_LOOKS = {
    dis.opmap[name]
    for name in ("RESUME", "CALL", "CALL_KW", "CALL_FUNCTION_EX", "JUMP_BACKWARD")
    if name in dis.opmap
}

_FINALIZING = {"weakref", "_weakrefset"}


class Interrupter:
    """Raises KeyboardInterrupt at the point of a number, counted from the start of an action."""

    def __init__(self, number):
        self.left = number
        self.where = ""

    def run(self, action):
        """Run an action; tell whether it was interrupted, which must be all that comes of it."""
        self.latest = {}  # by frame: its last instruction, None after an exception or a call of Python
        try:
            with _monitored(self) if sys.version_info >= (3, 12) else _traced(self):
                action()
        except KeyboardInterrupt as error:
            return error
        assert self.left >= 0, f"an interrupt was swallowed:\n{self.where}"
        return None

    def starts(self, frame):
        """Note that a function begins or goes on, if it can be interrupted."""
        above = frame
        while above is not None:
            if above.f_code.co_name == "__del__" or above.f_globals.get("__name__") in _FINALIZING:
                return  # Python reports what is raised there, and goes on
            above = above.f_back
        self.latest[frame] = dis.opmap["RESUME"]

    def raises(self, frame):
        """Note an exception: it is handled first."""
        if frame in self.latest:
            self.latest[frame] = None

    def returns(self, frame):
        """Note that a function ends or yields."""
        self.latest.pop(frame, None)
        if frame.f_back in self.latest:
            self.latest[frame.f_back] = None  # Python looked when the function began

    def steps(self, frame, offset):
        """Note the next instruction; raise if the interrupt comes before it."""
        if frame not in self.latest:
            return
        if self.latest[frame] in _LOOKS:
            self.left -= 1
            if self.left < 0:
                self.latest.clear()
                self.where = "".join(traceback.format_stack(frame)[-9:])
                raise KeyboardInterrupt
        self.latest[frame] = frame.f_code.co_code[offset]


@contextmanager
def _monitored(interrupter):
    """Tell an interrupter what happens, by `sys.monitoring`.

    In Python 3.13.0 a function that has run before tells no instructions to `sys.settrace`.
    """
    monitoring, events = sys.monitoring, sys.monitoring.events
    me = threading.get_ident()

    def told_to(note):
        def call(_, offset, *__):
            if interrupter.left >= 0 and threading.get_ident() == me:
                note(sys._getframe(1), offset)

        return call

    notes = {
        events.INSTRUCTION: interrupter.steps,
        **dict.fromkeys(
            (events.PY_START, events.PY_RESUME, events.PY_THROW), lambda frame, _: interrupter.starts(frame)
        ),
        **dict.fromkeys(
            (events.PY_RETURN, events.PY_YIELD, events.PY_UNWIND), lambda frame, _: interrupter.returns(frame)
        ),
        events.RAISE: lambda frame, _: interrupter.raises(frame),
    }
    monitoring.use_tool_id(monitoring.DEBUGGER_ID, "interrupts")
    try:
        for event, note in notes.items():
            monitoring.register_callback(monitoring.DEBUGGER_ID, event, told_to(note))
        monitoring.set_events(monitoring.DEBUGGER_ID, functools.reduce(operator.or_, notes))
        yield
    finally:
        monitoring.set_events(monitoring.DEBUGGER_ID, 0)
        for event in notes:
            monitoring.register_callback(monitoring.DEBUGGER_ID, event, None)
        monitoring.free_tool_id(monitoring.DEBUGGER_ID)


@contextmanager
def _traced(interrupter):
    """Tell an interrupter what happens, by `sys.settrace`."""

    def trace(frame, event, _):
        if interrupter.left < 0:
            return None
        if event == "call":
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            interrupter.starts(frame)
        elif event == "exception":
            interrupter.raises(frame)
        elif event == "return":
            interrupter.returns(frame)
        elif event == "opcode":
            interrupter.steps(frame, frame.f_lasti)
        return trace

    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(None)
