"""While PostgreSQL is away every request that needs it answers 503, and nothing is half done."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from innotter.accounts.models import User
from innotter.accounts.tokens import mint_access_token
from innotter.common.pagination import BEFORE, encode
from innotter.config.tests.routes import SIGNED, bodies, files, routes
from innotter.conftest import Log, all_rows, new_page, new_post, new_user, refusal, signed_in
from innotter.feed import selectors as feed
from innotter.mail.tokens import unsubscribe_token
from innotter.posts.models import Post

pytestmark = pytest.mark.django_db(transaction=True)

# Ends the connection in which it runs, when its transaction is being committed.
LOST_WHILE_COMMITTING = """
    CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER lose AFTER INSERT ON posts_post
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION lose();
"""
NO_LONGER = "DROP TRIGGER lose ON posts_post; DROP FUNCTION lose()"


@pytest.fixture
def post() -> Post:
    """On the page `ann` of the admin ann."""
    return new_post(new_page(new_user("ann", role=User.Role.ADMIN), uuid="ann"))


@pytest.fixture
def client(post: Post) -> Client:
    """Ann's, at the API and at the panel. It answers 500 as users see it."""
    headers = {"Authorization": f"Bearer {mint_access_token(post.page.owner)}"}
    return signed_in(post.page.owner, raise_request_exception=False, headers=headers)


@pytest.fixture
def nobody() -> Iterator[socket.socket]:
    """Has a port of its own and refuses every connection."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        yield nobody


@pytest.fixture
def away(client: Client, nobody: socket.socket) -> Iterator[None]:
    """PostgreSQL is looked for where nobody is."""
    own = connection.settings_dict
    connection.close()
    connection.settings_dict = {**own, "HOST": "127.0.0.1", "PORT": nobody.getsockname()[1]}
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict = own


def is_unavailable(answer: Any) -> bool:
    said = refusal(answer) == (503, "database_unavailable")
    return said and int(answer["Retry-After"]) > 0


def answers(client: Client, post: Post) -> Iterator[tuple[str, Any]]:
    """Of every route of the API to a call that it takes."""
    body_of, file_of = bodies(refresh="a refresh token"), files()
    token = unsubscribe_token(post.page.owner_id, post.page_id)
    values = {"uuid": "ann", "username": "ann", "tag": "x", "code": "abc", "id": post.id}
    for route in routes():
        body = json.dumps(body_of[str(route)]) if str(route) in body_of else ""
        path = "/api/v1" + route.path.format(**values, token=token)
        query = {"q": "ann"} if route.path in ("/search", "/tags") else None
        if str(route) not in file_of:
            yield (
                str(route),
                client.generic(route.method, path, body, "application/json", query_params=query),
            )


def test_every_route_of_the_api_answers_503(client: Client, away: None, post: Post) -> None:
    found = dict(answers(client, post))
    assert [route for route, answer in found.items() if not is_unavailable(answer)] == []


def test_what_anybody_may_do_answers_503(client: Client, away: None, post: Post) -> None:
    """Those who are nobody are not looked up; where they may call, the view comes upon it."""
    found = dict(answers(Client(raise_request_exception=False), post))
    closed = {route for route, answer in found.items() if answer.status_code == 401}
    assert {"GET /feed", "POST /pages"} <= closed
    others = set(found) - closed - SIGNED
    assert [route for route in others if not is_unavailable(found[route])] == []
    assert {"POST /auth/login", "POST /auth/refresh", "GET /pages/{uuid}"} <= others


@pytest.mark.parametrize(
    "path",
    ["/health/ready", "/admin/", "/admin/events/outboxevent/", "/admin/accounts/user/?q=x"],
)
def test_so_do_the_views_outside_the_api(client: Client, away: None, path: str) -> None:
    assert is_unavailable(client.get(path))


def test_no_poll_says_that_nothing_is_new_where_nobody_could_look(
    client: Client, post: Post, away: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "_newest", feed._Newest())
    monkeypatch.setattr(feed, "LOOK_EVERY", 3600)
    for _ in range(2):
        assert is_unavailable(client.get("/feed/new", {"after": encode(BEFORE, post.id)}))


@pytest.mark.parametrize("path", ["/", "/search?q=ann", "/login", "/feed/new"])
def test_people_read_a_page_in_their_language(client: Client, away: None, path: str) -> None:
    people = {"Accept": "text/html,*/*;q=0.8", "Accept-Language": "ru-RU,ru;q=0.9,en;q=0.5"}
    method = client.post if path == "/login" else client.get
    answer = method(path, headers=people)
    assert answer.status_code == 503
    assert int(answer["Retry-After"]) > 0
    assert answer["Content-Type"].startswith("text/html")
    page = answer.content.decode()
    assert '<html lang="ru">' in page
    assert "<h1>Скоро вернёмся</h1>" in page
    assert 'href="/"' in page


@pytest.mark.parametrize("path", ["/health/live", "/.well-known/jwks.json", "/api/v1/schema"])
def test_what_needs_no_database_goes_on(away: None, path: str) -> None:
    assert Client().get(path).status_code == 200


def test_it_is_one_line_beside_the_requests_own(client: Client, away: None, log: Log) -> None:
    for path in ("/api/v1/feed", "/admin/"):
        client.get(path)
    api, panel = [line for line in log() if line["event"] == "database_unavailable"]
    assert "Connection refused" in api["reason"] + panel["reason"]
    assert [line["event"] for line in log()] == ["database_unavailable", "request"] * 2
    assert not any("exception" in line for line in log())


def test_a_server_that_does_not_answer_is_given_up(
    client: Client, away: None, nobody: socket.socket
) -> None:
    nobody.listen()
    assert is_unavailable(client.get("/api/v1/feed"))


def test_it_goes_on_at_once_when_the_database_is_back(
    client: Client, nobody: socket.socket, request: pytest.FixtureRequest
) -> None:
    own = connection.settings_dict
    request.getfixturevalue("away")
    assert is_unavailable(client.get("/api/v1/feed"))
    connection.settings_dict = own
    assert client.get("/api/v1/feed").status_code == 200
    assert client.get("/admin/").status_code == 200


def test_a_connection_that_is_lost_while_it_commits_is_no_success(
    client: Client, post: Post
) -> None:
    before = all_rows()
    with connection.cursor() as cursor:
        cursor.execute(LOST_WHILE_COMMITTING)
    try:
        answer = client.post("/api/v1/pages/ann/posts", {"content": "?"}, "application/json")
        assert is_unavailable(answer)
    finally:
        with connection.cursor() as cursor:
            cursor.execute(NO_LONGER)
    assert all_rows() == before
    answer = client.post("/api/v1/pages/ann/posts", {"content": "!"}, "application/json")
    assert answer.status_code == 201


def test_a_server_that_has_become_a_replica_is_away_and_looked_for_anew(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
    page = {"name": "A page"}
    assert is_unavailable(client.post("/api/v1/pages", page, "application/json"))
    assert client.post("/api/v1/pages", page, "application/json").status_code == 201


def test_a_deadlock_is_no_database_that_is_away(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a fault of ours, and stays one that is seen."""

    def deadlock(*_: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DO $$ BEGIN RAISE 'x' USING ERRCODE = 'deadlock_detected'; END $$")

    monkeypatch.setattr("innotter.feed.views.feed_of", deadlock)
    assert refusal(client.get("/api/v1/feed")) == (500, "internal")
