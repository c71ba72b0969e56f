"""Memory that a process shares with its forks. A page of it is copied when one of them writes
there, and CPython writes to every object that it uses: it counts who refers to it.
"""

import ctypes
import gc

# An object with so many references is immortal, as the interpreter's own are: nobody counts them.
_IMMORTAL = 2**31


def share_memory() -> None:
    """Before forks: nothing that is there by now will ever be freed, and none of it is counted or
    looked at by the collector. Only the caller's thread may be running (decision 144)."""
    gc.collect()
    count = ctypes.c_uint32.from_address(id(None)).value
    # Otherwise objects lie in memory in another way: 32 bits, or without a GIL.
    if count >= _IMMORTAL:
        _make_all_immortal(count)
    gc.freeze()


def _make_all_immortal(count: int) -> None:
    waiting = gc.get_objects()
    while waiting:
        each = waiting.pop()
        references = ctypes.c_uint32.from_address(id(each))
        # What is so already may be shared: it is not written again.
        if references.value < _IMMORTAL:
            references.value = count
            waiting += gc.get_referents(each)
