"""`make cluster`: Innotter on several hosts, which are lost in turn; ARGS="network" loses one."""

import os
import shutil
import signal
import subprocess
import sys
from types import FrameType

from dev import tools
from dev.cluster.losses import NAMES
from dev.cluster.rehearsal import FOLDER, rehearse
from dev.errors import Failed
from dev.locks import locked

NEEDED = ("ip", "sysctl", "unshare", "setpriv", "apt-get")
# What the rehearsal runs in: a network, mounts and process ids of its own. Its first process is a
# shell, which collects the dead; with the first process the kernel ends all others, and with them
# networks and mounts.
INSIDE = [
    *("setpriv", "--pdeathsig", "KILL"),
    *("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
    *("sh", "-c", '"$@"; exit $?', "sh"),
]


def main(words: list[str]) -> int:
    # SIGINT, too: a shell starts what it puts in the background with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        if words[:1] == ["inside"]:
            return 0 if rehearse(words[1:]) else 1
        return run_inside(words)
    except Failed as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def run_inside(words: list[str]) -> int:
    missing = [name for name in NEEDED if not shutil.which(name)]
    if missing or os.getuid() != 0:
        raise Failed(f"A cluster needs Debian, root and {', '.join(missing) or 'nothing else'}.")
    if unknown := set(words) - set(NAMES):
        raise Failed(f"{', '.join(sorted(unknown))}: losses are {', '.join(NAMES)}.")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with locked(FOLDER / "lock", busy="A cluster of this clone runs already."):
        # Inside there is no way to fetch them.
        for tool in (tools.rabbitmq, tools.ministack, tools.caddy, tools.etcd, tools.patroni):
            tool()
        command = [*INSIDE, sys.executable, "-m", "dev.cluster", "inside", *words]
        inside = subprocess.Popen(command)
        try:
            return inside.wait()
        finally:
            # What it has is thrown away: nothing has to end in good order.
            inside.kill()
            inside.wait()


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Ends like Ctrl-C."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
