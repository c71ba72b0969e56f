"""New posts announce themselves to readers of the feed, by a poll that costs next to nothing."""

from pytest_django import DjangoAssertNumQueries

from innotter.accounts.models import User
from innotter.common.pagination import BEFORE, encode
from innotter.conftest import new_page, new_post, signed_in


def test_while_nothing_is_new_a_poll_is_one_query(
    ann: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    post = new_post(new_page(ann))
    browser = signed_in(ann)
    with django_assert_num_queries(1):
        answer = browser.get("/feed/new", {"after": encode(BEFORE, post.id)})
    assert answer.status_code == 204
    assert answer["Cache-Control"] == "private, no-store"


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


def test_a_poll_from_nowhere_is_refused(bob: User) -> None:
    assert signed_in(bob).get("/feed/new?after=nowhere").status_code == 400
