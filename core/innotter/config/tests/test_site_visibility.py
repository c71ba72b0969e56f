"""Who sees what on the site: each of its pages against the same plain statement of the one rule
that test_visibility.py holds the API against.

Two things are asked of each answer: the posts, pages and people that it lists, with what is said
of each, are those that the rule allows; and nowhere in it stands the name of what is hidden.
"""

import re
from collections.abc import Iterable, Iterator
from html import unescape
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, unquote
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.test import Client
from django.utils import timezone
from hypothesis import example, given
from hypothesis import strategies as st

from innotter.accounts.models import Session, User
from innotter.accounts.sessions import renew_cookie
from innotter.common.pagination import BEFORE, encode
from innotter.config.tests.test_visibility import (
    EXAMPLE,
    PEOPLE,
    TAGS,
    Model,
    Person,
    Place,
    Words,
    as_rows,
    newest,
    pairs,
    people,
    places,
    words,
)
from innotter.conftest import property_tests
from innotter.pages.models import Page
from innotter.posts.models import Post

LOG_IN = HTTPStatus.SEE_OTHER
HIDDEN, FORBIDDEN, NOTHING = HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN, HTTPStatus.NO_CONTENT
# Before every row.
ZERO = UUID(int=1)

# What a page of the site says, by its markup.

POST = re.compile(
    r'<article class="post(?! quoted).*?" id="post-([0-9a-f-]{36})".*?</article>', re.S
)
PAGE = re.compile(r'<div class="person page">.*?</div></div>', re.S)
PERSON = re.compile(r'<(?:div|li) class="person">.*?<a href="/u/([^"]+)"', re.S)


def posts_in(html: str) -> list[Any]:
    return [(found[1], *post_in(found[0])) for found in POST.finditer(html)]


def post_in(article: str) -> tuple[Any, ...]:
    def number(what: str) -> int:
        found = re.search(rf'class="action {what}.*?</(?:a|button)>', article, re.S)
        count = found and re.search(r"<span>([\d,]+)</span>", found[0])
        return int(count[1]) if count else 0

    context = re.search(r'<p class="context">(.*?)</p>', article, re.S)
    link = context and re.search(r'href="([^"]+)"', context[1])
    answers = None if context is None else link[1] if link else "gone"
    name = re.search(r'<a class="name" href="/@([^"]+)"><bdi>(.*?)</bdi>', article)
    text = re.search(r'<p class="words"[^>]*>(.*?)</p>', article, re.S)
    assert name
    assert text
    likes = re.search(r'id="like-.*?</button>', article, re.S)
    liked = likes and re.search(r"<span>(\d+)</span>", likes[0])
    return (
        (name[1], unescape(name[2])),
        unescape(text[1]),
        answers,
        number("reply"),
        int(liked[1]) if liked else 0,
        'aria-label="Unlike"' in article,
    )


def pages_in(html: str) -> list[Any]:
    found = []
    for row in PAGE.findall(html):
        followers = re.search(r"([\d,]+) followers?<", row)
        link = re.search(r'<a href="/@([^"]+)"><bdi>(.*?)</bdi>', row)
        assert followers
        assert link
        found.append((link[1], unescape(link[2]), int(followers[1]), "Private" in row))
    return found


def people_in(html: str) -> list[str]:
    return PERSON.findall(html)


def profile_in(html: str) -> Any:
    section = re.search(r'<section class="card profile".*?</section>', html, re.S)
    assert section
    posts = re.search(r"<b>(\d+)</b> posts?", section[0])
    followers = re.search(r"<b>(\d+)</b> followers?", section[0])
    assert posts
    assert followers
    button = re.search(r'<button id="follow"[^>]*>(.*?)</button>', section[0])
    return (
        int(posts[1]),
        int(followers[1]),
        button[1] if button else "Edit page",
        sorted(re.findall(r'class="tag".*?<bdi>(.*?)</bdi>', section[0])),
    )


# What it should say.


def a_post(model: Model, viewer: User | None, post: Post) -> tuple[Any, ...]:
    shown = model.post(viewer, post)
    parent = model.parent(post)
    answers: str | None = None
    if shown["reply_to"]:
        hidden = shown["reply_to"]["id"] is None or parent is None
        answers = "gone" if hidden or parent is None else f"/@{parent.page.uuid}/{parent.id}"
    return (
        shown["id"],
        (post.page.uuid, post.page.name),
        post.content,
        answers,
        shown["replies_count"],
        shown["likes_count"],
        shown["viewer"]["liked"],
    )


def some_posts(model: Model, viewer: User | None, rows: Iterable[Post]) -> list[Any]:
    return [a_post(model, viewer, post) for post in rows]


def some_pages(model: Model, viewer: User | None, rows: Iterable[Page]) -> list[Any]:
    shown = [model.page(viewer, page) for page in rows]
    return [(p["uuid"], p["name"], p["followers_count"], p["is_private"]) for p in shown]


def a_profile(model: Model, viewer: User | None, page: Page) -> Any:
    shown = model.page(viewer, page)
    ask = "Request to follow" if page.is_private else "Follow"
    button = {"none": ask, "following": "Unfollow", "requested": "Withdraw request"}
    mine = page.owner == viewer
    return (
        shown["posts_count"],
        shown["followers_count"],
        "Edit page" if mine else button[shown["viewer"]["follow"]],
        sorted(shown["tags"]),
    )


# The addresses: each with what reads its answer, and what that reads there or the status.

type Addresses = Iterator[tuple[str, Any, Any]]


def addresses(model: Model, viewer: User | None) -> Addresses:
    for page in model.pages:
        yield from addresses_of_page(model, viewer, page)
    for post in model.posts:
        yield from addresses_of_post(model, viewer, post)
    for user in model.users:
        yield from addresses_of_user(model, viewer, user)
    yield from searches(model, viewer)
    yield from own_lists(model, viewer)


def addresses_of_page(model: Model, viewer: User | None, page: Page) -> Addresses:
    at = f"/@{page.uuid}"
    found, seen = model.may_find(viewer, page), model.may_see(viewer, page)
    own = [post for post in newest(model.posts) if post.page == page]
    follows = [each for each in model.follows if each.page == page]
    met = [each for each in newest(follows) if model.may_meet(viewer, each.user)]
    yield at, profile_in, a_profile(model, viewer, page) if found else HIDDEN
    yield at, posts_in, (some_posts(model, viewer, own) if seen else []) if found else HIDDEN
    refused = FORBIDDEN if found else HIDDEN
    followers = [each.user.username for each in met if each.accepted_at]
    yield f"{at}/followers", people_in, followers if seen else refused
    waiting = [e.user.username for e in follows if not (e.accepted_at or e.user.is_blocked)]
    if viewer is None:
        yield f"{at}/requests", people_in, LOG_IN
    else:
        yield f"{at}/requests", people_in, waiting if page.owner == viewer else refused
    # For everybody what strangers see.
    ids = [str(post.id) for post in own]
    stranger = FORBIDDEN if model.may_find(None, page) else HIDDEN
    yield f"{at}.atom", atom_ids, ids if model.may_see(None, page) else stranger


def atom_ids(xml: str) -> list[str]:
    return re.findall(r"<entry>.*?<id>urn:uuid:(.*?)</id>", xml, re.S)


def addresses_of_post(model: Model, viewer: User | None, post: Post) -> Addresses:
    at = f"/@{post.page.uuid}/{post.id}"
    refused = FORBIDDEN if model.may_find(viewer, post.page) else HIDDEN
    around = [each for each in thread(model, post) if model.may_see(viewer, each.page)]
    ids = sorted(str(each.id) for each in around)
    seen = model.may_see(viewer, post.page)
    yield at, lambda html: sorted(row[0] for row in posts_in(html)), ids if seen else refused
    stranger = FORBIDDEN if model.may_find(None, post.page) else HIDDEN
    url = quote(f"{settings.CORE_URL}{at}")
    title = [post.content] if model.may_see(None, post.page) else stranger
    yield f"/oembed?url={url}", lambda text: re.findall(r'"title": "(\d+)"', text), title


def thread(model: Model, post: Post) -> list[Post]:
    """The post, all that it answers and all that answers it."""
    above = post
    around = [post]
    while parent := model.parent(above):
        around.append(parent)
        above = parent
    below = [post]
    while below:
        ids = {each.pk for each in below}
        below = [other for other in model.posts if other.reply_to_id in ids]
        around += below
    return around


def addresses_of_user(model: Model, viewer: User | None, user: User) -> Addresses:
    met = model.may_meet(viewer, user)
    theirs = [p for p in newest(model.pages) if p.owner == user and model.may_find(viewer, p)]
    yield f"/u/{user.username}", pages_in, some_pages(model, viewer, theirs) if met else HIDDEN
    for path in (f"/search?q={user.title}&type=user", f"/search/suggestions?q={user.title}"):
        yield path, people_in, [user.username] if met else []


def searches(model: Model, viewer: User | None) -> Addresses:
    found = [page for page in model.pages if model.may_find(viewer, page)]
    yield "/search", pages_in, some_pages(model, viewer, newest(found))
    for page in model.pages:
        hits = some_pages(model, viewer, [page] if page in found else [])
        for path in (f"/search?q={page.name}", f"/search/suggestions?q={page.uuid}"):
            yield path, pages_in, hits
    for tag in TAGS:
        tagged = [page for page in found if tag in model.tags[page]]
        yield f"/search?tag={tag}", pages_in, some_pages(model, viewer, newest(tagged))
        yield f"/search?q={tag}", pages_in, some_pages(model, viewer, tagged)


def own_lists(model: Model, viewer: User | None) -> Addresses:
    polled = f"/feed/new?after={encode(BEFORE, ZERO)}"
    if viewer is None:
        public = [post for post in newest(model.posts) if model.may_see(None, post.page)]
        yield "/", posts_in, some_posts(model, None, public)
        for path in ("/likes", "/pages", "/moderation"):
            yield path, posts_in, LOG_IN
        yield polled, posts_in, NOTHING
        return
    following = [each for each in newest(model.follows) if each.user == viewer]
    followed = [each.page for each in following if each.accepted_at]
    feed = [
        post
        for post in newest(model.posts)
        if model.may_see(viewer, post.page) and (post.page in followed or post.page.owner == viewer)
    ]
    yield "/", posts_in, some_posts(model, viewer, feed)
    new = [f"{len(feed)} new post{'s' * (len(feed) != 1)}"]
    yield polled, lambda text: re.findall(r"\d+ new posts?", text), new if feed else NOTHING
    liked = [each.post for each in newest(model.likes) if each.user == viewer]
    visible = [post for post in liked if model.may_see(viewer, post.page)]
    yield "/likes", posts_in, some_posts(model, viewer, visible)
    own = [page for page in newest(model.pages) if page.owner == viewer]
    findable = [page for page in followed if model.may_find(viewer, page)]
    yield "/pages", pages_in, some_pages(model, viewer, [*own, *findable])
    blocked = [page for page in newest(model.pages) if model.blocked(page)]
    moderates = viewer.role != User.Role.USER
    rows = some_pages(model, viewer, blocked)
    yield "/moderation?show=pages", pages_in, rows if moderates else FORBIDDEN
    users = [user.username for user in newest(model.users) if user.is_blocked]
    yield "/moderation?show=users", people_in, users if moderates else FORBIDDEN


# What may stand nowhere in an answer


def hidden_words(model: Model, viewer: User | None) -> set[str]:
    pages = [page for page in model.pages if not model.may_find(viewer, page)]
    posts = [post for post in model.posts if not model.may_see(viewer, post.page)]
    users = [user for user in model.users if not model.may_meet(viewer, user)]
    return {
        *(page.name for page in pages),
        *(f"@{page.uuid}" for page in pages),
        *(str(post.id) for post in posts),
        *(user.title for user in users),
    }


def browser_of(viewer: User | None) -> Client:
    """Signed in, also where the viewer was blocked since."""
    browser = Client()
    if viewer:
        now = timezone.now()
        session = Session.objects.create(user=viewer, last_used_at=now, authenticated_at=now)
        browser.cookies[settings.SITE_SESSION_COOKIE] = renew_cookie(session=session)
    return browser


def compare(model: Model, viewer: User | None) -> None:
    browser = browser_of(viewer)
    hidden = hidden_words(model, viewer)
    shut_out = viewer is not None and viewer.is_blocked
    kept = {name: cookie.value for name, cookie in browser.cookies.items()}
    for path, read, right in addresses(model, viewer):
        # A refusal takes the cookie of a blocked user away: another tab would still send it.
        browser.cookies.load(kept)
        answer = browser.get(path, headers={"Accept": "text/html"})
        at = f"{viewer} at {path}"
        if shut_out:
            assert answer.status_code in (HTTPStatus.UNAUTHORIZED, FORBIDDEN), at
            assert "This account is blocked" in answer.text, at
        elif isinstance(right, HTTPStatus):
            assert answer.status_code == right, at
        else:
            assert answer.status_code == HTTPStatus.OK, at
            assert read(answer.text) == right, at
        # The question itself is repeated.
        told = [word for word in hidden if word in answer.text and word not in unquote(path)]
        assert not told, at


@example(**EXAMPLE)
@property_tests(1)
@given(
    everybody=st.lists(people, min_size=3, max_size=len(PEOPLE)),
    somewhere=st.lists(places, min_size=3, max_size=4),
    following=st.lists(st.tuples(pairs, st.booleans()), min_size=3, max_size=10),
    said=st.lists(words, min_size=3, max_size=6),
    liking=st.lists(pairs, max_size=8),
)
def test_every_page_of_the_site_shows_each_viewer_what_the_rule_says(
    *,
    db: None,
    everybody: list[Person],
    somewhere: list[Place],
    following: list[tuple[tuple[int, int], bool]],
    said: list[Words],
    liking: list[tuple[int, int]],
) -> None:
    with transaction.atomic():
        model = as_rows(everybody, somewhere, following, said, liking)
        for viewer in (None, *model.users):
            compare(model, viewer)
        transaction.set_rollback(True)
