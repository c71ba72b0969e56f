"""`make sample ARGS="post.reposted.v2"`: writes an event's golden sample, as the core emits it.

The event is in `contracts/innotter_contracts/events.py`, and ACTIONS of
`core/innotter/config/tests/test_events.py` has a line that makes the core emit it.
"""

import os
import subprocess
import sys

from dev.paths import ROOT

TESTS = "core/innotter/config/tests/test_events.py"
SAMPLES = ROOT / "contracts" / "innotter_contracts" / "samples"
USAGE = 'make sample ARGS="EVENT.VERSION", for example ARGS="post.reposted.v2"'
NO_TESTS = 5


def main(words: list[str]) -> int:
    if len(words) != 1:
        print(USAGE, file=sys.stderr)
        return 2
    [name] = words
    file = SAMPLES / f"{name}.json"
    if file.exists():
        print(f"{file.relative_to(ROOT)} is there already; what is published stays.")
        return 1
    pytest = [sys.executable, "-m", "pytest", "-q", TESTS, "-k", f"golden and {name}"]
    run = subprocess.run(
        pytest,
        cwd=ROOT,
        env={**os.environ, "WRITE_SAMPLES": "yes"},
        check=False,
        capture_output=True,
        text=True,
    )
    if run.returncode == NO_TESTS:
        print(f"ACTIONS in {TESTS} has no line for {name}.", file=sys.stderr)
    elif run.returncode != 0:
        print(run.stdout + run.stderr, file=sys.stderr)
    elif file.exists():
        print(file.relative_to(ROOT))
    return run.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
