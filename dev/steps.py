"""Progress for people: a line for each step with the seconds that it took."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager

from dev.processes import Processes


@contextmanager
def step(name: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    print(f"  {name:<22} {time.monotonic() - began:5.1f} s", flush=True)


def together(processes: Processes, *jobs: Callable[[], None]) -> None:
    """Runs the jobs at the same time. When one fails, the processes are stopped, so that the
    others give up, and its error is raised."""
    with ThreadPoolExecutor(len(jobs)) as pool:
        try:
            done, _ = wait([pool.submit(job) for job in jobs], return_when=FIRST_EXCEPTION)
            for job in done:
                job.result()
        except BaseException:
            processes.stop()
            raise
