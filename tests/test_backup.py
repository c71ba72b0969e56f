"""A database that is gone comes back from its backup, and what it still owed is delivered."""

import os
import subprocess
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from dev import postgres
from dev.paths import ROOT
from dev.stack import Stack, manage
from tests.people import Person, eventually, run, totals

pytestmark = pytest.mark.xdist_group("stack")


def test_a_lost_database_comes_back_and_pays_its_debts(stack: Stack, tmp_path: Path) -> None:
    ann = Person.arrives(stack, "ann")
    bob = Person.arrives(stack, "bob", confirmed=True)
    uuid = ann.new_page()
    bob.post(f"/pages/{uuid}/follow")
    eventually(lambda: totals(ann, uuid), lambda counts: counts.get("followers") == 1)
    # The post is committed, and nobody carries what follows from it.
    stack.kill("relay")
    ann.post(f"/pages/{uuid}/posts", content="Is this safe?", expect=201)

    backup = tmp_path / "innotter.dump"
    before = contents(stack)
    call(stack, "backup.sh", backup)
    lose_the_database(stack)
    call(stack, "restore.sh", backup)
    assert contents(stack) == before

    # Sessions are still valid, and the post is read where it was.
    [post] = ann.get(f"/pages/{uuid}/posts")["results"]
    assert post["content"] == "Is this safe?"
    stack.start("relay")
    mails = eventually(bob.inbox, len)
    assert len(mails) == 1
    counts = eventually(lambda: totals(ann, uuid), lambda counts: counts["posts"] > 0)
    assert (counts["posts"], counts["followers"]) == (1, 1)


def test_after_a_restore_statistics_agree_with_the_core_again(stack: Stack, tmp_path: Path) -> None:
    ann, bob = Person.arrives(stack, "ann"), Person.arrives(stack, "bob")
    admin = Person.arrives(stack, "admin")
    command = manage("promote", admin.name)
    stack.processes.run(f"promote-{admin.name}", command, env=stack.env, seconds=60)
    admin.log_in()
    kept, deleted, of_bob = ann.new_page(), ann.new_page(), bob.new_page()
    for person, uuid in ((ann, kept), (ann, deleted), (bob, of_bob)):
        eventually(lambda: person.statistics(uuid).status_code, lambda status: status == 200)  # noqa: B023
    backup = tmp_path / "innotter.dump"
    call(stack, "backup.sh", backup)

    # All of this is lost, and statistics have heard of it.
    admin.post(f"/users/{bob.name}/block", reason="Spam", expect=204)
    ann.delete(f"/pages/{deleted}", expect=204)
    lost = ann.new_page()
    eventually(lambda: ann.statistics(lost).status_code, lambda status: status == 200)
    eventually(lambda: bob.statistics(of_bob).status_code, lambda status: status == 401)
    lose_the_database(stack)
    call(stack, "restore.sh", backup)
    [bobs_id] = {bob.get("/users/me")["id"]}
    assert bob.statistics(of_bob).status_code == 401
    code, said = run(stack, "audit_statistics", "--wait", "0")
    assert code == 1
    assert f"user {bobs_id}: is_blocked is True, not False" in said

    assert run(stack, "replay_statistics", "--all")[0] == 0
    code, said = run(stack, "audit_statistics", "--wait", "30")
    assert code == 0, said
    assert bob.statistics(of_bob).status_code == 200
    assert [ann.statistics(uuid).status_code for uuid in (kept, deleted, lost)] == [200, 200, 404]


def test_nothing_is_restored_over_what_is_there(stack: Stack, tmp_path: Path) -> None:
    backup = tmp_path / "innotter.dump"
    call(stack, "backup.sh", backup)
    refusal = "This database is not empty. Nothing was restored.\n"
    assert refused(stack, "restore.sh", backup) == refusal


@pytest.mark.parametrize(
    ("pg_dump", "reason"),
    [
        ('echo "pg_dump (PostgreSQL) 12.4 (Debian 12.4-1)"', "pg_dump is of version 12, and the"),
        # It ends in the middle of its file.
        (
            '[ "$1" = --version ] && echo 99 && exit; touch "${5#--file=}"; echo Full >&2; exit 1',
            "Full",
        ),
    ],
)
def test_a_backup_that_fails_leaves_no_file(
    stack: Stack, tmp_path: Path, pg_dump: str, reason: str
) -> None:
    tools, backups = tmp_path / "tools", tmp_path / "backups"
    for folder in (tools, backups):
        folder.mkdir()
    (tools / "pg_dump").write_text(f"#!/bin/sh\n{pg_dump}\n")
    (tools / "pg_dump").chmod(0o700)
    said = refused(stack, "backup.sh", backups / "innotter.dump", tools=tools)
    assert said.startswith(reason)
    assert said.count("\n") == 1
    assert list(backups.iterdir()) == []


def refused(stack: Stack, script: str, file: Path, *, tools: Path | None = None) -> str:
    """What is said on standard error by the script, which has to fail."""
    with pytest.raises(subprocess.CalledProcessError) as failure:
        call(stack, script, file, tools=tools)
    return str(failure.value.stderr)


def call(stack: Stack, script: str, file: Path, *, tools: Path | None = None) -> None:
    """Past a pooler, to the second of two hosts: nobody is at the first."""
    path = f"{tools}:{postgres.BINARIES}:{os.environ['PATH']}"
    direct = stack.env["DATABASE_URL"].replace("@", "@127.0.0.1:1,", 1)
    urls = {
        "DATABASE_URL": "postgresql://nobody.invalid/innotter",
        "DATABASE_DIRECT_URL": f"{direct}?target_session_attrs=read-write",
    }
    subprocess.run(
        ["sh", ROOT / "deploy" / script, file],
        env={**stack.env, **urls, "PATH": path},
        check=True,
        stderr=subprocess.PIPE,
        text=True,
    )


def contents(stack: Stack) -> dict[str, tuple[int, str]]:
    """Of each table the number of its rows and a sum of all that is in them; but for the one that
    the worker writes by the clock."""
    with psycopg.connect(stack.env["DATABASE_URL"]) as connection:
        names = connection.execute(
            "SELECT tablename FROM pg_tables"
            " WHERE schemaname = 'public' AND tablename <> 'mail_quota'"
        )
        query = sql.SQL(
            "SELECT count(*), coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') "
            "FROM {} AS t"
        )
        return {
            name: connection.execute(query.format(sql.Identifier(name))).fetchone() or (0, "")
            for (name,) in names.fetchall()
        }


def lose_the_database(stack: Stack) -> None:
    """While everybody is connected to it. An empty one takes its place."""
    url, _, name = stack.env["DATABASE_URL"].rpartition("/")
    postgres.drop_database(f"{url}/postgres", name)
    postgres.create_database(f"{url}/postgres", name, template="template0")
