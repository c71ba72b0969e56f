"""What stands around a post: what it answers, and what answers it."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from innotter.accounts.models import User
from innotter.conftest import new_page, new_post
from innotter.pages.models import Page
from innotter.posts import selectors
from innotter.posts.models import Post
from innotter.posts.selectors import Thread, thread_of
from innotter.posts.services import delete_post


def words(thread: Thread) -> tuple[list[str], list[tuple[str, int]]]:
    above = [post.content for post in thread.above]
    return above, [(post.content, depth) for post, depth in thread.below]


@pytest.fixture
def tree(page: Page) -> Post:
    """A post with this below it: a (aa (aaa), ab), b."""
    root = new_post(page, "root")
    a, b = new_post(page, "a", root), new_post(page, "b", root)
    assert b
    new_post(page, "aaa", new_post(page, "aa", a))
    new_post(page, "ab", a)
    return root


def test_replies_stand_below_what_they_answer_oldest_first(tree: Post, eve: User) -> None:
    above, below = words(thread_of(tree, eve))
    assert above == []
    assert below == [("a", 1), ("aa", 2), ("aaa", 3), ("ab", 2), ("b", 1)]


def test_what_a_post_answers_stands_above_it_from_the_first_on(tree: Post, eve: User) -> None:
    above, below = words(thread_of(Post.objects.get(content="aa"), eve))
    assert above == ["root", "a"]
    assert below == [("aaa", 1)]


def test_it_takes_two_statements_however_deep_it_is(tree: Post, eve: User) -> None:
    last = Post.objects.get(content="aaa")
    for number in range(30):
        last = new_post(tree.page, f"deeper {number}", last)
    for post in (tree, last):
        with CaptureQueriesContext(connection) as queries:
            thread_of(post, eve)
        assert len(queries) == 2


def test_no_more_is_read_than_is_shown(
    page: Page, eve: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selectors, "MOST_ABOVE", 3)
    monkeypatch.setattr(selectors, "MOST_BELOW", 3)
    chain = [new_post(page, "0")]
    for number in range(1, 10):
        chain.append(new_post(page, str(number), chain[-1]))
    thread = thread_of(chain[5], eve)
    assert words(thread) == (["2", "3", "4"], [("6", 1), ("7", 2), ("8", 3)])
    assert thread.is_cut
    assert not thread_of(chain[6], eve).is_cut


def test_the_nearest_replies_come_first_where_not_all_are_shown(
    tree: Post, eve: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selectors, "MOST_BELOW", 2)
    assert words(thread_of(tree, eve))[1] == [("a", 1), ("b", 1)]


def test_what_the_viewer_may_not_see_is_a_gap(ann: User, bob: User, eve: User, tree: Post) -> None:
    closed = new_page(ann, uuid="closed", is_private=True)
    hidden = new_post(closed, "hidden", Post.objects.get(content="b"))
    below_it = new_post(tree.page, "below it", hidden)
    assert ("hidden", 2) in words(thread_of(tree, ann))[1]
    for viewer in (bob, eve):
        assert words(thread_of(tree, viewer))[1][-2:] == [("b", 1), ("below it", 3)]
        assert words(thread_of(below_it, viewer))[0] == ["root", "b"]
        # Nothing is told of it there either.
        shown = thread_of(tree, viewer).below[-1][0]
        assert not shown.parent_visible


def test_a_deleted_post_ends_the_thread(ann: User, tree: Post) -> None:
    delete_post(actor=ann, post=Post.objects.get(content="a"))
    assert words(thread_of(tree, ann))[1] == [("b", 1)]
    assert words(thread_of(Post.objects.get(content="aaa"), ann))[0] == ["aa"]
