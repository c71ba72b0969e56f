"""Compiled reads give what the queries that they are made of give, to each call its own."""

import os
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
import time_machine
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import FieldFetchBlocked
from django.db import OperationalError, connection, connections, transaction
from django.db.models import BooleanField, ExpressionWrapper, Model, Q, QuerySet
from hypothesis import given
from hypothesis import strategies as st

from innotter.accounts import selectors as accounts
from innotter.accounts.models import User
from innotter.common.compiled import MOST_SHAPES, Named, Parameter, compiled, statement_for
from innotter.common.database import Composed, IsOneOf
from innotter.common.pagination import NEWEST_FIRST, Range
from innotter.common.throttling import Use, count
from innotter.conftest import (
    Api,
    make_follower,
    new_page,
    new_post,
    new_user,
    property_test,
    statements,
)
from innotter.feed import selectors as feed
from innotter.pages.models import LONGEST_TAG, Page, Tag
from innotter.pages.selectors import visible_to
from innotter.posts.models import Post
from innotter.posts.services import like

NOBODY = AnonymousUser()
NOON = datetime(2031, 5, 1, 12, tzinfo=UTC)


@compiled
def pages_at(viewer: User | AnonymousUser, uuid: str) -> QuerySet[Page]:
    return Page.objects.filter(visible_to(viewer), uuid__lower=uuid)


@compiled
def names_like(text: str) -> QuerySet[Tag, Any]:
    return Tag.objects.filter(name=text).values_list("name", "id")


@compiled
def begun_by(moment: datetime, ids: list[UUID]) -> QuerySet[Post]:
    shown = Post.objects.filter(IsOneOf("id", ids), created_at__lte=moment)
    return shown.select_related("page").order_by("id")


@pytest.fixture
def people(db: None) -> list[Any]:
    """Two of each kind, each of whom owns a page, follows another one and likes a post."""
    kinds = [("user", 2), ("moderator", 2), ("admin", 2)]
    people = [new_user(f"{role}-{n}", role=role) for role, count in kinds for n in range(count)]
    posts = [new_post(new_page(one, uuid=f"page-{n}")) for n, one in enumerate(people)]
    for number, one in enumerate(people):
        make_follower(one, posts[number - 1].page)
        like(actor=one, post=posts[number - 2])
        new_post(posts[number - 1].page, reply_to=posts[number])
    Page.objects.filter(uuid__in=["page-1", "page-2"]).update(is_private=True)
    Page.objects.filter(uuid="page-3").update(unblock_date=NOON)
    return people


def of(row: Any) -> Any:
    """All that a row holds, to its end."""
    if not isinstance(row, Model):
        return row
    related = {name: of(value) for name, value in row._state.fields_cache.items()}
    held = {name: value for name, value in vars(row).items() if name != "_state"}
    return type(row), held, related, row._state.adding, row._state.db


numbers = st.integers(0, 5)
viewers = st.one_of(st.just(NOBODY), numbers)
positions = st.one_of(st.none(), st.uuids(version=4), numbers)
ranges = st.builds(
    Range,
    key=st.just(NEWEST_FIRST),
    limit=st.sampled_from([1, 2, 20]),
    position=positions,
    backwards=st.booleans(),
    inclusive=st.booleans(),
)
calls = st.one_of(
    st.tuples(st.just(feed._feed), numbers, ranges),
    st.tuples(st.just(pages_at), viewers, numbers.map("page-{}".format)),
    st.tuples(
        st.just(accounts._callers),
        numbers.map(str),
        st.one_of(st.none(), st.uuids()),
        st.booleans(),
    ),
    st.tuples(st.just(begun_by), st.datetimes(timezones=st.just(UTC)), st.lists(numbers)),
    st.tuples(st.just(names_like), st.text(st.characters(codec="utf-8", exclude_characters="\0"))),
)


@property_test
@given(st.lists(calls, max_size=20))
def test_calls_in_any_order_give_what_each_would_give_alone(
    people: list[Any], asked: list[Any]
) -> None:
    """The function itself, called with the values, gives the same as its compiled read."""
    posts = list(Post.objects.order_by("id"))
    with time_machine.travel(NOON, tick=False):
        for read, *drawn in asked:
            arguments = [meant(each, people, posts) for each in drawn]
            assert [*map(of, read(*arguments))] == [*map(of, read.__wrapped__(*arguments))]


def meant(drawn: Any, people: list[Any], posts: list[Post]) -> Any:
    """A number is a viewer, or a post; as text it is a user's id."""
    match drawn:
        case bool():
            return drawn
        case int():
            return people[drawn]
        case list():
            return [posts[number].id for number in drawn]
        case str() if drawn.isdecimal() and len(drawn) == 1 and int(drawn) < len(people):
            return people[int(drawn)].id
        case Range(position=int(number)):
            return Range(drawn.key, drawn.limit, posts[number].id, drawn.backwards, drawn.inclusive)
    return drawn


def test_a_statement_names_instances_of_several_models(eve: User, bob: User, page: Page) -> None:
    """And says something of each; nothing is read of what it names and nobody has."""

    @compiled
    def read(viewer: User, ids: list[UUID]) -> Named:
        each = "SELECT id, place FROM unnest({ids}) WITH ORDINALITY AS each (id, place)"
        named = Composed(each, ids=ids)  # type: ignore[arg-type] # here it is a Parameter
        mine = ExpressionWrapper(Q(owner=viewer.pk), output_field=BooleanField())
        pages = Page.objects.select_related("owner").annotate(mine=mine)
        return Named(named, [pages, User.objects.defer("email")])

    nobodys = UUID(int=0)
    ids = [eve.id, page.id, nobodys]
    for viewer in (eve, page.owner):
        found: list[Any] = sorted(read(viewer, ids), key=lambda row: row[-1])
        assert found == [(eve, eve.id, 1), (page, page.id, 2), (None, nobodys, 3)]
        assert (found[1][0].owner, found[1][0].mine) == (page.owner, viewer == page.owner)
        assert found[0][0].get_deferred_fields() == {"email"}
    assert read(eve, [bob.id]) == [(bob, bob.id, 1)]


def test_what_is_not_read_is_an_error_and_no_query(page: Page) -> None:
    """Neither a column that is left out nor a row that is only named, of the row and of the one
    that it leads to."""

    @compiled
    def read(author: UUID) -> QuerySet[Post]:
        return Post.objects.filter(page__owner=author).select_related("page").defer("content")

    post = new_post(page)
    [found] = read(page.owner_id)
    with statements() as sent:
        assert (found.id, found.page, found.page.name) == (post.id, page, page.name)
        for row, unread in ((found, "content"), (found.page, "owner")):
            with pytest.raises(FieldFetchBlocked):
                getattr(row, unread)
    assert sent == []


def test_no_value_of_a_call_is_seen_where_the_sql_is_made(people: list[Any]) -> None:
    seen: list[Any] = []

    @compiled
    def read(viewer: User, asked: Range, text: str, limit: int) -> QuerySet[Post]:
        seen.append((viewer.pk, asked.position, text, limit, viewer.role))
        return asked.bound(Post.objects.filter(page__owner=viewer.pk, content=text))[:limit]

    for person in people:
        for position in (person.id, people[0].id):
            read(person, Range(NEWEST_FIRST, position=position), "fog", 3)
    assert len(seen) == 3, "once for each role"
    assert all(isinstance(value, Parameter) for values in seen for value in values[:3])
    assert [values[3:] for values in seen] == [(3, "user"), (3, "moderator"), (3, "admin")]


@pytest.mark.parametrize("constant", [UUID(int=1), NOON])
def test_what_differs_from_call_to_call_is_no_constant(db: None, constant: Any) -> None:
    field = "id" if isinstance(constant, UUID) else "created_at"

    @compiled
    def read() -> QuerySet[Tag]:
        return Tag.objects.filter(**{field: constant})

    with pytest.raises(TypeError):
        read()


def test_a_viewers_other_fields_are_not_there_to_be_read(eve: User) -> None:
    @compiled
    def read(viewer: User) -> QuerySet[User]:
        return User.objects.filter(username=viewer.username)

    with pytest.raises(Exception, match="Parameter"):
        read(eve)


def test_constants_of_the_sql_are_what_they_are(db: None) -> None:
    """Signs of SQL, of Python's formats and of PostgreSQL's parameters."""
    texts = ["%s", "%%", "%(a)s", "$1", "'", "\\", "{}", "100 %", '"', "--"]
    Tag.objects.bulk_create(Tag(name=text) for text in texts)
    for text in texts:

        @compiled
        def read(same: str, text: str = text) -> QuerySet[Tag, Any]:
            return Tag.objects.filter(name=text).filter(name=same).values_list("name")

        assert read(text) == [(text,)]


def test_the_moment_is_that_of_each_call(eve: User, page: Page) -> None:
    Page.objects.update(unblock_date=NOON)
    for before, found in [(timedelta(seconds=1), 0), (timedelta(0), 1)]:
        with time_machine.travel(NOON - before, tick=False):
            assert len(pages_at(eve, "ann")) == found


def test_a_read_is_one_query_that_is_seen_and_prepared(
    page: Page, django_assert_num_queries: Any
) -> None:
    @compiled
    def read(uuid: str) -> QuerySet[Page]:
        return Page.objects.filter(uuid=uuid, description="seen nowhere else")

    with django_assert_num_queries(3) as queries:
        for uuid in ("ann", "bob", "ann"):
            read(uuid)
    assert all('FROM "pages_page"' in query["sql"] for query in queries)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT generic_plans + custom_plans FROM pg_prepared_statements"
            " WHERE statement LIKE '%seen nowhere else%'"
        )
        assert cursor.fetchall() == [(3,)]


def test_what_is_prepared_is_sent_waited_for_and_read_by_one_call(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    names_like("fog")
    Tag.objects.create(name="fog")
    waits: list[object] = []
    monkeypatch.setattr(connection.connection, "wait", lambda call: waits.append(next(call, None)))
    assert [name for name, _ in names_like("fog")] == ["fog"]
    assert waits == [None], "nothing was left to be waited for"


def test_a_cursor_that_is_kept_keeps_no_rows(db: None) -> None:
    connection.ensure_connection()
    cursor = connections["default"].prepared_cursor("SELECT %s::integer")  # type: ignore[attr-defined] # of our backend
    for number in (1, 2):
        assert cursor.execute("SELECT %s::integer", [number]).fetchall() == [(number,)]
        with pytest.raises(psycopg.ProgrammingError):
            cursor.fetchall()


def test_shapes_have_an_end(db: None) -> None:
    @compiled
    def read(limit: int) -> QuerySet[Tag]:
        return Tag.objects.order_by("id")[: limit % 7 + 1]

    for limit in range(MOST_SHAPES + 20):
        read(limit)
    assert statement_for.cache_info().currsize == MOST_SHAPES


# Connections that are lost


@pytest.fixture
def lose() -> Iterator[Callable[[], None]]:
    """Ends the connection, as a restart of PostgreSQL does."""

    def lose() -> None:
        lost = connection.connection.info.backend_pid
        other = connection.copy()
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [lost])
        other.close()

    yield lose
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_a_read_that_meets_a_lost_connection_is_tried_on_a_new_one(
    lose: Callable[[], None], api: Api
) -> None:
    page = new_page(new_user("ann"), uuid="ann")
    caller = api(page.owner)
    assert caller.get("/pages/ann").status_code == 200
    lose()
    with statements() as sent:
        assert caller.get("/pages/ann").status_code == 200
    assert not any(sql == "SELECT 1" for sql, _ in sent)
    lose()
    assert caller.post("/pages", {"name": "Written"}).status_code == 201


@pytest.mark.django_db(transaction=True)
def test_nor_does_a_server_have_to_say_that_it_is_gone() -> None:
    names_like("fog")
    cut_off()
    assert names_like("fog") == []
    with pytest.raises(OperationalError):
        read_and_lose(cut_off)
    assert names_like("fog") == []


def cut_off() -> None:
    with socket.socket(fileno=os.dup(connection.connection.pgconn.socket)) as wire:
        wire.shutdown(socket.SHUT_RDWR)


@pytest.mark.django_db(transaction=True)
def test_a_write_is_not_tried_twice_but_a_request_that_begins_with_it_looks_first(
    lose: Callable[[], None],
) -> None:
    use = Use("writes", "ann")
    count(use)
    lose()
    connection.close_if_unusable_or_obsolete()  # as at the beginning of every request
    assert count(use) == {}


@pytest.mark.django_db(transaction=True)
def test_not_in_a_transaction_which_is_lost_with_it(lose: Callable[[], None]) -> None:
    with pytest.raises(OperationalError):
        read_and_lose(lose)
    assert names_like("fog") == []


@transaction.atomic
def read_and_lose(lose: Callable[[], None]) -> None:
    names_like("fog")
    lose()
    names_like("fog")


@pytest.mark.django_db(transaction=True)
def test_a_column_that_becomes_wider_is_read_on() -> None:
    """As a migration does it while requests come; PostgreSQL then refuses what it has prepared."""
    Tag.objects.create(name="fog")
    assert [name for name, _ in names_like("fog")] == ["fog"]
    widen = "ALTER TABLE pages_tag ALTER COLUMN name TYPE varchar({})"
    own = LONGEST_TAG
    try:
        for length in (own + 1, own):
            other = connection.copy()  # ours would forget what it has prepared
            with other.cursor() as cursor:
                cursor.execute(widen.format(length))
            other.close()
            assert [name for name, _ in names_like("fog")] == ["fog"]
    finally:
        with connection.cursor() as cursor:
            cursor.execute(widen.format(own))
