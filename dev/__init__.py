"""The embedded stack: every backing service and every process of Innotter on a bare machine."""

import os
import sys

# Where it is set, every process compiles every module again at every start, which takes two thirds
# of the start. Here, so that it holds for every command and for plain pytest.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
