"""What `make run` takes of memory, and of the processor while nobody asks for anything.

    make bench ARGS="memory"        of the stack that `make run` has started in this clone
    make bench ARGS="memory 120"    looked at for so many seconds; 60

PSS, in MB: each page of memory counts for as much of it as it is shared by, so that a sum is what
would be free without them. Ours is what runs Innotter; PostgreSQL, RabbitMQ, the emulator and the
supervisor stand beside it.
"""

import os
import re
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from dev.paths import ROOT

SECONDS = 60
# MB, and seconds a minute.
BARS = {"memory": 350, "processor": 0.6}
# The words of a command that tell whose it is; what none of them tells is the supervisor's.
OURS = {"core": "manage.py run", "statistics": "innotter_stats.run"}
OTHERS = {"PostgreSQL": "postgres", "RabbitMQ": "rabbitmq|erlang|epmd|erl_", "AWS": "ministack"}


# Whose process it is, and its role.
type Name = tuple[str, str]


def main() -> None:
    seconds = float(sys.argv[1]) if sys.argv[1:] else SECONDS
    root = the_running()
    before = {process: used(process) for process in [root, *root.children(recursive=True)]}
    time.sleep(seconds)
    memory: defaultdict[Name, float] = defaultdict(float)
    processor: defaultdict[Name, float] = defaultdict(float)
    for process, name in names(before):
        memory[name] += pss(process)
        processor[name] += (used(process) - before[process]) * 60 / seconds
    print(f"Load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()}.")
    print(f"{'':<24}{'MB':>8}{'s a minute':>12}")
    for whose, name in sorted(memory, key=lambda key: (key[0] not in OURS, *key)):
        figures = f"{memory[whose, name]:>8.0f}{processor[whose, name]:>12.2f}"
        print(f"{f'{whose}: {name}' if name else whose:<24}{figures}")
    ours = [key for key in memory if key[0] in OURS]
    sums = sum(memory[key] for key in ours), sum(processor[key] for key in ours)
    print(f"{'Ours':<24}{sums[0]:>8.0f}{sums[1]:>12.2f}")
    print(f"{'bars':<24}{BARS['memory']:>8}{BARS['processor']:>12}")


def the_running() -> psutil.Process:
    """The supervisor of this clone's stack. Raises SystemExit without one."""
    for process in psutil.process_iter():
        try:
            words, folder = process.cmdline(), process.cwd()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if words[1:4] == ["-m", "dev", "run"] and folder == str(ROOT):
            return process
    raise SystemExit("Start `make run` in this clone first.")


def names(processes: Iterable[psutil.Process]) -> Iterator[tuple[psutil.Process, Name]]:
    """Whose each is that still runs, and which of its roles."""
    for process in processes:
        try:
            command = " ".join(process.cmdline())
            whose = next(
                (
                    name
                    for name, words in {**OURS, **OTHERS}.items()
                    if re.search(words, f"{command} {process.name()}")
                ),
                "supervisor",
            )
            # The parent of the roles is the one that was started.
            role = process.name() if whose in OURS else ""
            yield process, (whose, "parent" if role.startswith("python") else role)
        except psutil.NoSuchProcess:
            continue


def pss(process: psutil.Process) -> float:
    text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
    return int(re.findall(r"^Pss: +(\d+)", text, re.M)[0]) / 1024


def used(process: psutil.Process) -> float:
    """Seconds of the processor."""
    tasks = Path(f"/proc/{process.pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


if __name__ == "__main__":
    main()
