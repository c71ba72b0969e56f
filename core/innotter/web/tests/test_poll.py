"""New posts announce themselves to readers of the feed, by a poll that costs next to nothing."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from innotter.accounts.models import User
from innotter.common.pagination import BEFORE, encode
from innotter.conftest import new_page, new_post, signed_in
from innotter.feed import selectors as feed
from innotter.pages.models import Page
from innotter.posts.models import Post
from innotter_contracts.ids import first_id_of


def test_while_nothing_is_new_a_poll_is_one_query_in_each_second(
    ann: User, django_assert_num_queries: DjangoAssertNumQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = new_post(new_page(ann))
    browser = signed_in(ann)
    monkeypatch.setattr(feed, "_newest", feed._Newest())
    # Some seconds that last long enough for a busy machine.
    for seconds, queries in ((3600, 1), (3600, 0), (0, 1), (3600, 0)):
        monkeypatch.setattr(feed, "LOOK_EVERY", seconds)
        with django_assert_num_queries(queries):
            answer = browser.get("/feed/new", {"after": encode(BEFORE, post.id)})
        assert answer.status_code == 204
        assert answer["Cache-Control"] == "private, no-store"


def test_what_was_written_since_the_last_look_is_told_after_the_next(
    ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, page = signed_in(ann), new_page(ann)
    after = {"after": encode(BEFORE, new_post(page).id)}
    assert browser.get("/feed/new", after).status_code == 204
    new_post(page)
    monkeypatch.setattr(feed, "LOOK_EVERY", 3600)
    assert browser.get("/feed/new", after).status_code == 204
    monkeypatch.setattr(feed, "LOOK_EVERY", 0)
    assert "1 new post" in browser.get("/feed/new", after).content.decode()


def test_what_is_new_is_counted_in_the_readers_language(ann: User, bob: User) -> None:
    page = new_page(ann)
    first = new_post(page)
    for number in range(3):
        new_post(page, f"New: {number}")
    after = {"after": encode(BEFORE, first.id)}
    User.objects.filter(pk=ann.pk).update(language="ru")
    assert "3 новые записи" in signed_in(ann).get("/feed/new", after).content.decode()
    # What isn't his to read is nothing new to Bob.
    assert signed_in(bob).get("/feed/new", after).status_code == 204


def following(answer: Any) -> str:
    """Where the next poll goes on."""
    return str(answer["Link"]).removeprefix("<").removesuffix('>; rel="next"')


def test_what_others_wrote_is_not_looked_at_by_the_next_poll(
    ann: User,
    bob: User,
    django_assert_num_queries: DjangoAssertNumQueries,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    browser, first = signed_in(bob), new_post(Page.objects.get(uuid="ann"))
    new_post(new_page(ann))
    # Years later: where another test has been to the future, ids go on from there.
    monkeypatch.setattr(feed, "COMMITTED_WITHIN", -timedelta(days=100 * 365))
    answer = browser.get("/feed/new", {"after": encode(BEFORE, first.id)})
    assert answer.status_code == 204
    with django_assert_num_queries(1):
        assert browser.get(following(answer)).status_code == 204


def test_what_was_being_committed_during_a_poll_is_told_by_the_next(ann: User, bob: User) -> None:
    browser, page = signed_in(bob), Page.objects.get(uuid="ann")
    before = {"after": encode(BEFORE, first_id_of(timezone.now() - timedelta(hours=1)))}
    new_post(new_page(ann))
    answer = browser.get("/feed/new", before)
    assert answer.status_code == 204
    late = first_id_of(timezone.now() - timedelta(seconds=1))
    Post.objects.create(id=late, page=page, content="Hello")
    assert "1 new post" in browser.get(following(answer)).content.decode()


def test_a_poll_from_nowhere_is_refused(bob: User) -> None:
    assert signed_in(bob).get("/feed/new?after=nowhere").status_code == 400
