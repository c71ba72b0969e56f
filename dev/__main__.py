"""The commands behind the Makefile: `python -m dev run | manage [a command of Django's]
| test [pytest's arguments] | reset | bench NAME [its arguments] | screenshots`."""

import signal
import sys
from types import FrameType

from dev.errors import Failed
from dev.run import manage, reset, run
from dev.run_tests import run_bench, run_screenshots, run_tests


def main(words: list[str]) -> int:
    # SIGINT, too: a shell starts what it puts in the background with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        return _do(words)
    except Failed as error:
        print(f"\n{error}", file=sys.stderr)
        return 1


def _do(words: list[str]) -> int:
    match words:
        case ["run"]:
            run()
        case ["manage", *command]:
            manage(command)
        case ["test", *arguments]:
            return run_tests(arguments)
        case ["bench", name, *arguments]:
            return run_bench(name, arguments)
        case ["screenshots"]:
            return run_screenshots()
        case ["reset"]:
            reset()
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Ends like Ctrl-C."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
