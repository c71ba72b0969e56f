import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from typing import Any

import pytest

from innotter_contracts.logs import configure_logs

type Log = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def log() -> Iterator[Log]:
    """`log()` gives the lines that were logged since the test began, as production writes them."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with redirect_stdout(io.StringIO()) as out:
        configure_logs(service="core", style="json")
    yield lambda: [json.loads(line) for line in out.getvalue().splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)
