"""In a process of its own: what is shared is so until the process ends."""

import subprocess
import sys

SCRIPT = """
import gc, sys, weakref
from innotter_contracts.sharing import share_memory

class Thing:
    def __init__(self):
        self.list, self.text = [], "".join(["not ", "interned"])

def references(*objects):
    return [sys.getrefcount(each) for each in objects]

old = Thing()
share_memory()
before = references(old, old.list, old.text, Thing.__init__, Thing.__init__.__code__)
held = [(old, old.list, old.text, Thing.__init__, Thing.__init__.__code__) for _ in range(100)]
assert references(old, old.list, old.text, Thing.__init__, Thing.__init__.__code__) == before
assert not any(each is old for each in gc.get_objects())

# What is made afterwards is counted and freed, in cycles too, and so is what an old one lets go.
new, cycle, kept = Thing(), Thing(), Thing()
cycle.list.append(cycle)
old.list.append(kept)
gone = [weakref.ref(new), weakref.ref(cycle), weakref.ref(kept)]
del new, cycle, kept
gc.collect()
assert [each() is None for each in gone] == [True, True, False]
old.list.clear()
assert gone[2]() is None
"""


def test_what_was_there_is_not_counted_and_what_comes_is() -> None:
    """Nothing writes to the memory of the first, as PEP 683 has it."""
    words = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
