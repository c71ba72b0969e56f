"""Whatever keeps a command from its work is one line on stderr and an exit code, never a traceback;
and each says what it has done."""

import socket
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.core.management import get_commands
from django.db import ProgrammingError, connection

from innotter.accounts.keys import create_signing_keys
from innotter.accounts.models import User
from innotter.config.command_line import AWAY, REFUSED, WRONG_ARGUMENTS, main
from innotter.deletion import storage
from innotter.events.models import OutboxEvent
from innotter.events.tests.conftest import amqp_url
from innotter.posts.models import Post
from innotter_contracts.ids import new_id

__all__ = ["amqp_url"]

PASSWORD = "a quiet harbour 7"
POSTGRES, RABBITMQ, TABLE, S3 = "PostgreSQL", "RabbitMQ", "The table", "storage"


class Command(NamedTuple):
    # What it does its work with, and what it says then. `{post}`: a post's id; `{file}`: a new one.
    good: str
    says: str
    # What is not there.
    unknown: str | None
    # What no command takes.
    bad: str
    parts: tuple[str, ...] = (POSTGRES,)
    # What it reads.
    stdin: str = ""


COMMANDS = {
    "promote": Command("ann", "ann is an admin", "nobody", ""),
    "createsuperuser": Command(
        "root root@example.org", "root is an admin", None, "root", stdin=PASSWORD
    ),
    "changepassword": Command("ann", "another password", "nobody", "", stdin=PASSWORD),
    "send_password_reset": Command("ann", "The mail leaves", "nobody", "ann --email"),
    "remove_second_factor": Command("ann", "no second factor", "nobody", ""),
    "end_sessions": Command("ann", "0 sessions", "nobody", "ann --all"),
    "reencrypt_secrets": Command("", "0 secrets", None, "ann"),
    "create_signing_keys": Command("{file}", "one key", "/nowhere/keys", "", parts=()),
    "rotate_signing_keys": Command("--stolen", "signs from now on", None, "--lead x", parts=()),
    "check_counts": Command("", "0 wrong counts", None, "--mend"),
    "trace_post": Command("{post}", "not counted yet", None, "7", parts=(POSTGRES, TABLE)),
    "audit_statistics": Command(
        "--page ann --wait 0", "", "--page nowhere", "--wait x", parts=(POSTGRES, TABLE)
    ),
    "replay_statistics": Command("--page ann", "1 pages", "--page nowhere", ""),
    "requeue": Command("", "0 requeued", str(new_id()), "7"),
    "dead_letters": Command(
        "list stats", "in all", "replay stats --id nowhere", "list nowhere", parts=(RABBITMQ,)
    ),
    "maintenance": Command("off", "There was no maintenance", None, "up"),
    "test_mail": Command("ann@example.com", "", "nobody", "", parts=()),
    "apply_deletions": Command("", "0 accounts", None, "now", parts=(S3,)),
    # Runs for ever: a part that is away is waited for.
    "run": Command("relay", "", None, "clock", parts=()),
}
# Others say it with tests of their own, or never end.
SAYING = sorted(COMMANDS.keys() - {"audit_statistics", "run", "test_mail"})


class Ended(NamedTuple):
    code: int
    out: str
    err: str


type Run = Callable[..., Ended]


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
    tmp_path: Path,
) -> Run:
    """As from the command line; the keys are the test's own."""
    settings.SIGNING_KEYS_FILE = tmp_path / "keys.json"
    create_signing_keys(settings.SIGNING_KEYS_FILE, prefix="")
    # Django ends a command with its connections: the test goes on.
    monkeypatch.setattr(connection, "close", lambda: None)

    def run(name: str, arguments: str, post: Post | None = None) -> Ended:
        monkeypatch.setattr("sys.stdin", StringIO(COMMANDS[name].stdin))
        words = arguments.format(post=post.id if post else new_id(), file=tmp_path / "new.json")
        code = 0
        try:
            main(["manage.py", name, *words.split()])
        except SystemExit as end:
            code = int(end.code or 0)
        return Ended(code, *capsys.readouterr())

    return run


def is_one_line(ended: Ended, code: int, *named: str) -> None:
    assert ended.code == code, ended
    assert ended.err.count("\n") == 1, ended.err
    for word in named:
        assert word in ended.err


def test_the_table_has_every_command_of_ours() -> None:
    ours = {name for name, app in get_commands().items() if app.startswith("innotter.")}
    assert ours == set(COMMANDS), "COMMANDS (config/tests/test_commands.py) lacks a line"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_wrong_argument_is_named(run: Run, name: str) -> None:
    is_one_line(run(name, COMMANDS[name].bad), WRONG_ARGUMENTS, f"manage.py {name}: ")


@pytest.mark.parametrize("name", [name for name, each in COMMANDS.items() if each.unknown])
def test_what_is_not_there_is_named(
    run: Run, name: str, db: None, request: pytest.FixtureRequest, settings: Any
) -> None:
    if RABBITMQ in COMMANDS[name].parts:
        settings.AMQP_URL = request.getfixturevalue("amqp_url")
    is_one_line(run(name, str(COMMANDS[name].unknown)), REFUSED)


@pytest.mark.parametrize("name", SAYING)
def test_each_says_what_it_has_done(
    run: Run, name: str, post: Post, request: pytest.FixtureRequest, settings: Any
) -> None:
    parts = COMMANDS[name].parts
    if RABBITMQ in parts:
        settings.AMQP_URL = request.getfixturevalue("amqp_url")
    if {TABLE, S3} & set(parts):
        request.getfixturevalue("aws")
    ended = run(name, COMMANDS[name].good, post)
    assert (ended.code, ended.err) == (0, "")
    assert COMMANDS[name].says in ended.out


@pytest.fixture
def nobody() -> Iterator[int]:
    """A port where every connection is refused."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        yield nobody.getsockname()[1]


@pytest.mark.django_db(transaction=True)
def test_without_postgresql_each_says_so(run: Run, nobody: int) -> None:
    own, opened = connection.settings_dict, connection.connection
    connection.connection = None
    connection.settings_dict = {**own, "HOST": "127.0.0.1", "PORT": nobody}
    try:
        for name, command in COMMANDS.items():
            if POSTGRES in command.parts:
                is_one_line(run(name, command.good), AWAY, "PostgreSQL does not answer")
    finally:
        connection.settings_dict, connection.connection = own, opened


def test_without_rabbitmq_it_says_so(run: Run, nobody: int, settings: Any, db: None) -> None:
    settings.AMQP_URL = f"amqp://guest:hunter2@127.0.0.1:{nobody}//"
    for what in ("list stats", "replay stats", "discard stats --reason x"):
        ended = run("dead_letters", what)
        is_one_line(ended, AWAY, "RabbitMQ does not answer")
        assert "hunter2" not in ended.err


def test_a_rabbitmq_that_says_nothing_is_given_up(
    run: Run, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("innotter.events.dead_letters.PATIENCE", 0.1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        settings.AMQP_URL = f"amqp://guest:guest@127.0.0.1:{silent.getsockname()[1]}//"
        is_one_line(run("dead_letters", "list stats"), AWAY, "RabbitMQ does not answer")


@pytest.mark.django_db(transaction=True)
def test_without_the_table_of_statistics_they_say_so(
    run: Run, nobody: int, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{nobody}")
    ended = run("trace_post", "{post}", post)
    is_one_line(ended, AWAY, "The table does not answer")
    # What the database knows is told all the same.
    assert "post on ann" in ended.out
    assert str(OutboxEvent.objects.get(type="post.created").id) in ended.out
    is_one_line(run("audit_statistics", "--page ann --wait 0"), AWAY, "The table does not answer")


def test_without_s3_it_says_so(run: Run, nobody: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{nobody}")
    storage._client.cache_clear()
    try:
        is_one_line(run("apply_deletions", ""), AWAY, "storage", "127.0.0.1")
    finally:
        storage._client.cache_clear()


def test_without_its_keys_it_says_so(run: Run, settings: Any) -> None:
    settings.SIGNING_KEYS_FILE.unlink()
    is_one_line(run("rotate_signing_keys", ""), AWAY, "signing keys", "keys.json")


def test_a_port_that_is_taken_is_named(run: Run, settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        settings.METRICS_PORT = other.getsockname()[1]
        is_one_line(run("run", "relay"), REFUSED, "in use")


def test_without_migrations_they_say_so(
    run: Run, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_user RENAME TO users_of_another_release")
    is_one_line(run("promote", "ann"), REFUSED, "`migrate`")


def test_a_bug_keeps_its_traceback(run: Run, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(**_: object) -> None:
        raise ProgrammingError("a bug")

    monkeypatch.setattr("innotter.moderation.management.commands.promote.set_role", bug)
    with pytest.raises(ProgrammingError):
        run("promote", "ann")


def test_who_asks_for_a_traceback_gets_it(run: Run, settings: Any) -> None:
    settings.SIGNING_KEYS_FILE.unlink()
    with pytest.raises(Exception, match="signing keys"):
        run("rotate_signing_keys", "--traceback")
