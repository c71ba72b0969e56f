"""Where things lie. Everything that the commands make is below `.data` and `.venv`."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / ".data"
# Downloaded programs: can be thrown away, only cost time.
TOOLS = DATA / "tools"
# What `make run` keeps: databases, queues, objects, secrets, logs.
STATE = DATA / "state"
