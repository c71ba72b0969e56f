"""manage.py: what keeps a command from its work is one line on stderr, and an exit code.

1: it was refused, or found what it looks for; 2: wrong arguments; 3: a part is away, named in the
line. So are commands of Django itself. An error that nobody expected keeps its traceback, and
`--traceback` shows that of every other.
"""

import signal
import sys
from typing import NoReturn

from django.core.management import base, execute_from_command_line
from django.db import ProgrammingError

from innotter.common.errors import DomainError, Unavailable
from innotter.common.outages import is_database_away
from innotter.common.postgresql import connect_directly

REFUSED, WRONG_ARGUMENTS, AWAY = 1, 2, 3
# A table or a column that is not there.
UNMIGRATED = ("42P01", "42703")


class OneLineParser(base.CommandParser):
    """Without the usage before the error; `--help` shows that."""

    def error(self, message: str) -> NoReturn:
        if not self.called_from_command_line:
            raise base.CommandError(message)
        self.exit(WRONG_ARGUMENTS, f"{self.prog}: {message} (see --help)\n")


def main(argv: list[str]) -> None:
    """Runs the command. Raises SystemExit unless all is done."""
    # The class is no parameter of anything.
    base.CommandParser = OneLineParser  # type: ignore[misc]
    try:
        # Roles are many, and keep nothing on a connection; those that do see to it themselves.
        if argv[1:2] != ["run"]:
            connect_directly()
        execute_from_command_line(argv)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except Exception as error:
        reason = reason_of(error)
        if reason is None or "--traceback" in argv:
            raise
        sys.stderr.write(f"{reason}\n")
        away = isinstance(error, Unavailable) or is_database_away(error)
        sys.exit(AWAY if away else REFUSED)


def reason_of(error: Exception) -> str | None:
    """In one line; None for an error that nobody expected."""
    if isinstance(error, DomainError):
        cause = f" {_line(error.__cause__)}" if error.__cause__ else ""
        return f"{_line(error)}{cause}"
    if is_database_away(error):
        return f"PostgreSQL does not answer: {_line(error)}"
    if isinstance(error, ProgrammingError):
        state = getattr(error.__cause__, "sqlstate", None)
        return "Migrations are missing: run `migrate`." if state in UNMIGRATED else None
    # A file, or a port that is taken.
    return _line(error) if isinstance(error, OSError) else None


def _line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
