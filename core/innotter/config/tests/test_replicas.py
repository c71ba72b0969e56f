"""Reads from replicas: nobody misses what they wrote themselves, nothing is decided by what a
replica says, and one that is late or gone is not noticed."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection, connections, transaction
from django.test import Client

from dev.assertions import assert_none, wait_until
from innotter.accounts.models import Session, User
from innotter.accounts.sessions import log_out_of_site
from innotter.accounts.tokens import mint_access_token
from innotter.common import maintenance
from innotter.common.replica_lag import Watch
from innotter.config.tests.replica import (
    REPLICA,
    Person,
    Replica,
    author,
    clock,
    contents,
    look,
    paused,
    reader,
    replica,
    server,
    watch,
)
from innotter.config.tests.routes import LISTS, NEEDED, routes
from innotter.conftest import (
    new_page,
    new_post,
    new_user,
    refusal,
    signed_in,
)
from innotter.moderation.services import block_user
from innotter.pages.follows import follow
from innotter.pages.models import Page
from innotter.pages.services import edit_page
from innotter.posts.models import Post
from innotter.posts.services import create_post
from innotter.web.tests import test_routes
from innotter.web.tests.test_routes import cast

# One copy of the tests' server will do.
pytestmark = pytest.mark.xdist_group("replica")

__all__ = ["author", "cast", "clock", "reader", "replica", "server", "watch"]  # fixtures


# Who answers


def test_a_replica_answers_what_is_read_in_a_statement_more(
    replica: Replica, watch: Watch, reader: Person
) -> None:
    """The caller on the primary, and on the replica their number and what they ask for."""
    with paused(replica, watch):
        asked: list[str] = []

        def note(execute: Any, sql: str, *rest: Any) -> Any:
            asked.append(sql)
            return execute(sql, *rest)

        with connection.execute_wrapper(note):
            assert contents(reader.get("/feed")) == ["Hello, world"]
        assert len(asked) == 1
        assert 'FROM "accounts_user"' in asked[0]
        number, feed = replica.answered
        assert number.startswith('SELECT "accounts_session"."writes"')
        assert 'FROM "posts_post"' in feed


def test_strangers_cost_the_primary_nothing(replica: Replica, watch: Watch, author: Person) -> None:
    post = Post.objects.get().pk
    of_site = ["/", "/@ann", "/search?q=ann", "/@ann.atom"]
    of_api = ["/pages/ann", "/pages/ann/posts", f"/posts/{post}", f"/posts/{post}/replies"]
    with paused(replica, watch):
        for path in [*of_site, *(f"/api/v1{path}" for path in [*of_api, "/search?q=ann"])]:
            with connection.execute_wrapper(no_statement):
                assert Client().get(path).status_code == 200, path
        assert len(replica.answered) >= len(of_site) + len(of_api)
        assert not any("accounts_session" in sql for sql in replica.answered)


def no_statement(execute: Any, sql: str, *rest: Any) -> Any:
    pytest.fail(f"The primary was asked: {sql}")


def test_a_write_takes_one_statement_more_and_is_counted_in_its_session_alone(
    author: Person, reader: Person
) -> None:
    """The caller, the limit, the row, the change, and the number."""
    new_page(author.user, uuid="other")
    api, site = Session.objects.filter(user=reader.user).order_by("id")
    assert (api.writes, site.writes) == (0, 0)
    assert number_of_statements(reader, f"/posts/{Post.objects.get().id}/like") == 5
    assert number_of_statements(reader, "/pages/other/follow") == 5
    api.refresh_from_db()
    site.refresh_from_db()
    assert (api.writes, site.writes) == (2, 0)
    assert number_of_statements(author, "/pages/ann/posts", {"content": "News"}) == 5


def number_of_statements(person: Person, path: str, body: Any = None) -> int:
    sent = []

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        sent.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(note):
        assert person.post(path, body).status_code in (200, 201)
    return sum("SAVEPOINT" not in sql for sql in sent)


def test_what_is_rolled_back_is_not_counted(reader: Person) -> None:
    assert reader.post("/pages/ann/posts", {"content": "Not mine"}).status_code == 403
    assert not Session.objects.exclude(writes=0).exists()


def test_two_sessions_may_end_each_other_at_once(author: Person) -> None:
    """Each counts its write in the row that the other one ends."""
    api = Session.objects.get(user=author.user, cookie_digest=None)
    other = Person(author.user)
    [theirs] = Session.objects.filter(user=author.user, cookie_digest=None).exclude(pk=api.pk)
    with ThreadPoolExecutor(2) as threads:
        with transaction.atomic():
            list(Session.objects.select_for_update())
            ends = [
                threads.submit(in_a_thread, partial(who.api.delete, f"{SESSIONS}/{whose.pk}"))
                for who, whose in ((author, theirs), (other, api))
            ]
            wait_until(lambda: number_of_waiting() == len(ends), seconds=30)
        assert sorted(end.result() for end in ends) == [204, 204]


def number_of_waiting() -> int:
    """Transactions that wait for ours, or for one that does."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(DISTINCT waiting.pid) FROM pg_locks AS waiting,"
            " unnest(pg_blocking_pids(waiting.pid)) AS before"
            " WHERE NOT granted AND pg_backend_pid() = ANY(before || pg_blocking_pids(before))"
        )
        return int(cursor.fetchone()[0])


SESSIONS = "/api/v1/users/me/sessions"


def in_a_thread(request: Callable[[], Any]) -> int:
    try:
        return int(request().status_code)
    finally:
        connections.close_all()


def test_a_token_without_a_session_and_the_panel_read_on_the_primary(
    replica: Replica, watch: Watch, author: Person
) -> None:
    admin = new_user("admin", role=User.Role.ADMIN)
    program = Client(headers={"Authorization": f"Bearer {mint_access_token(author.user)}"})
    with paused(replica, watch):
        assert program.get("/api/v1/feed").status_code == 200
        assert signed_in(admin).get("/admin/").status_code == 200
        assert replica.answered == []


# One's own writes


def test_ones_own_write_is_seen_at_once_while_the_replica_is_late(
    replica: Replica, watch: Watch, author: Person
) -> None:
    """Red without the number: the replica shows what was there before."""
    with paused(replica, watch):
        author.post("/pages/ann/posts", {"content": "News"})
        assert contents(author.get("/pages/ann/posts")) == ["News", "Hello, world"]
        assert contents(author.get("/feed")) == ["News", "Hello, world"]
        # Others see it within a second.
        assert contents(Client().get("/api/v1/pages/ann/posts")) == ["Hello, world"]
    replica.answered.clear()
    look(watch)
    assert contents(author.get("/pages/ann/posts")) == ["News", "Hello, world"]
    assert len(replica.answered) == 2


def test_so_it_is_on_the_site(replica: Replica, watch: Watch, author: Person) -> None:
    with paused(replica, watch):
        said = {"content": "News", "page": "ann"}
        answer = author.browser.post("/", said, follow=True)
        assert "News" in answer.content.decode()
        assert "News" in author.browser.get("/@ann").content.decode()
        assert "News" not in Client().get("/@ann").content.decode()


def test_a_new_session_is_unknown_to_a_late_replica(
    replica: Replica, watch: Watch, author: Person
) -> None:
    with paused(replica, watch):
        eve = new_user("eve")
        new_page(eve, uuid="eve")
        assert Person(eve).get("/pages/eve").status_code == 200


def test_a_block_and_a_logout_work_at_once(
    replica: Replica, watch: Watch, author: Person, reader: Person
) -> None:
    admin = new_user("admin", role=User.Role.ADMIN)
    with paused(replica, watch):
        block_user(actor=admin, user=reader.user)
        assert refusal(reader.get("/feed")) == (401, "user_blocked")
        assert reader.browser.get("/").status_code == 403
        log_out_of_site(session=Session.objects.get(user=author.user, cookie_digest__isnull=False))
        assert author.browser.get("/settings").status_code == 303


# What decides a write


def test_what_decides_a_write_is_read_on_the_primary(
    replica: Replica, watch: Watch, author: Person
) -> None:
    """The replica still shows the page as a public one."""
    eve = Person(new_user("eve"))
    with paused(replica, watch):
        edit_page(actor=author.user, page=Page.objects.get(), is_private=True)
        assert eve.get("/pages/ann").json()["is_private"] is False
        post = Post.objects.get()
        replica.answered.clear()
        assert eve.post("/pages/ann/follow").json() == {"follow": "requested"}
        assert eve.post(f"/posts/{post.id}/like").status_code == 403
        assert eve.browser.post(f"/@ann/{post.id}", {"content": "Yes"}).status_code == 403
        assert replica.answered == []


def test_maintenance_is_looked_for_on_the_primary_and_reads_go_on(
    replica: Replica, watch: Watch, reader: Person
) -> None:
    with paused(replica, watch):
        maintenance.begin("A new version comes.")
        assert "A new version comes." in Client().get("/@ann").content.decode()
        assert contents(reader.get("/feed")) == ["Hello, world"]
        assert refusal(reader.post("/pages", {"name": "Mine"})) == (503, "maintenance")
        assert replica.answered
    assert not Session.objects.exclude(writes=0).exists()


# Every route


def test_every_read_of_the_api_is_the_same_from_a_replica(
    replica: Replica, watch: Watch, settings: LazySettings
) -> None:
    """Which refuses all that writes. As an admin, who may read nearly everything."""
    admin = new_user("admin", role=User.Role.ADMIN)
    page = new_page(admin, uuid="ann", tags=["garden"])
    post = new_post(page)
    create_post(actor=admin, page=page, content="Yes", reply_to=post)
    follow(actor=new_user("bob"), page=page)
    person = Person(admin)
    values = {"uuid": "ann", "username": "bob", "id": post.id, "code": "none", "token": "none"}
    paths = [
        (route, query)
        for route in map(str, routes())
        if route.startswith("GET ")
        for query in [NEEDED.get(route, {}), *LISTS.get(route, [])]
    ]
    with paused(replica, watch):
        wrong: list[str] = []
        answers: dict[tuple[str, str, str], tuple[int, bytes]] = {}
        for alias in ([REPLICA], []):
            settings.DATABASE_REPLICAS = alias
            caller, stranger = Client(headers=person.headers), Client()
            for route, query in paths:
                path = "/api/v1" + route.removeprefix("GET ").format(**values)
                for who, client in (("admin", caller), ("stranger", stranger)):
                    answer = client.get(path, query)
                    found = answer.status_code, answer.content
                    if answers.setdefault((who, path, str(query)), found) != found:
                        wrong.append(f"{who}: {path} {query}")
        assert_none(wrong)
        assert len(replica.answered) > 20


def test_every_page_of_the_site_is_answered_with_a_replica(
    replica: Replica, watch: Watch, cast: test_routes.Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the site's table says, and nothing of it has to be left to the primary."""
    refused: list[str] = []
    wrong = []
    with paused(replica, watch):
        monkeypatch.setattr(watch, "distrust", refused.append)
        for row in test_routes.rows():
            if row.call.startswith("GET"):
                for role in ("anonymous", "stranger", "owner", "admin"):
                    status = cast.call(row, role).status_code
                    if status != row.statuses[test_routes.ROLES.index(role)] or refused:
                        wrong.append(f"{row}, {role}: {status}, {refused}")
                    refused.clear()
        assert_none(wrong)
        assert len(replica.answered) > 50
