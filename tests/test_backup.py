"""A database that is gone comes back from its backup, and what it still owed is delivered."""

import os
import subprocess
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from dev import postgres
from dev.paths import ROOT
from dev.stack import Stack
from tests.people import Person, eventually, totals

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


def test_nothing_is_restored_over_what_is_there(stack: Stack, tmp_path: Path) -> None:
    backup = tmp_path / "innotter.dump"
    call(stack, "backup.sh", backup)
    with pytest.raises(subprocess.CalledProcessError):
        call(stack, "restore.sh", backup)


def call(stack: Stack, script: str, file: Path) -> None:
    path = f"{postgres.BINARIES}:{os.environ['PATH']}"
    subprocess.run(
        ["sh", ROOT / "deploy" / script, file], env={**stack.env, "PATH": path}, check=True
    )


def contents(stack: Stack) -> dict[str, tuple[int, str]]:
    """Of each table the number of its rows and a sum of all that is in them."""
    with psycopg.connect(stack.env["DATABASE_URL"]) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
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
