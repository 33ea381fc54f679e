"""Interrupts at every point at which Python looks for signals, one after the other."""

import dis
import sys
import traceback

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
        self.latest = {}
        sys._getframe().f_trace_opcodes = True  # 3.12 traces instructions only if this was set before
        sys.settrace(self._trace)
        try:
            action()
        except KeyboardInterrupt as error:
            return error
        finally:
            sys.settrace(None)
        assert self.left >= 0, f"an interrupt was swallowed:\n{self.where}"
        return None

    def _trace(self, frame, event, _):
        if self.left < 0:
            return None
        if event == "call":
            above = frame
            while above is not None:
                if above.f_code.co_name == "__del__" or above.f_globals.get("__name__") in _FINALIZING:
                    return None  # Python reports what is raised there, and goes on
                above = above.f_back
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            self.latest[frame] = dis.opmap["RESUME"]
        elif event == "exception":  # it is handled first
            self.latest.pop(frame, None)
        elif event == "return":
            self.latest.pop(frame, None)
            # A function of Python was called from there: Python looked when it began.
            self.latest.pop(frame.f_back, None)
        elif event == "opcode":
            if self.latest.get(frame) in _LOOKS:
                self.left -= 1
                if self.left < 0:
                    self.latest.clear()
                    self.where = "".join(traceback.format_stack(frame)[-9:])
                    raise KeyboardInterrupt
            self.latest[frame] = frame.f_code.co_code[frame.f_lasti]
        return self._trace
