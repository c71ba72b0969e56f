"""What a process remembers of pages: never what another reader was shown, never what it was."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpRequest
from django.template import RequestContext
from django.template.loader import render_to_string
from django.test import Client
from django.utils import timezone, translation
from hypothesis import given
from hypothesis import strategies as st

from innotter.accounts.models import User
from innotter.common import maintenance
from innotter.conftest import make_follower, new_page, new_post, property_tests, signed_in
from innotter.pages.models import Page
from innotter.posts.models import Post
from innotter.posts.services import like, unlike
from innotter.web.templatetags.posts import KEY
from innotter.web.templatetags.rows import page_row, person_row
from innotter.web.templatetags.web import TOKEN, rendered

CSRF = re.compile(r'name="csrfmiddlewaretoken" value="([^"]*)"')
KEYS = re.compile(r'name="key" value="([^"]*)"')
# Made anew for each page.
UNLIKE = re.compile(r'(name="(?:csrfmiddlewaretoken|key)" value=")[^"]*')
READERS = ("ann", "bob", "eve", "moderator", "nobody")
LIKING = ("ann", "bob", "eve")
TEXTS = (
    "Fog.",
    "<csrf_token>",
    "https://example.com/?a=<csrf_token>&b",
    "\u202eאב <b>& {{ post }}",
)


class Town:
    """Ann's posts and a private page's that answer each other, and all kinds of readers: each
    differs from the others in rights, likes, language or clocks."""

    def __init__(self) -> None:
        self.users = {name: User.objects.get(username=name) for name in READERS[:-1]}
        ann, bob, eve = (self.users[name] for name in LIKING)
        self.pages = [new_page(ann, uuid="hers"), new_page(bob, uuid="his", is_private=True)]
        hers, his = self.pages
        for page, user in [(hers, bob), (hers, eve), (hers, self.users["moderator"]), (his, ann)]:
            make_follower(user, page)
        first = new_post(his)
        second = new_post(hers, reply_to=first)
        self.posts = [first, second, new_post(hers, reply_to=second)]
        # So long ago that the words for it stay the same meanwhile, and at the end of a day.
        long_ago = timezone.now().replace(hour=23) - timedelta(days=500)
        Post.objects.update(created_at=long_ago, updated_at=long_ago)
        zones = {"bob": "Asia/Vladivostok", "eve": "America/New_York"}
        for name, clocks in zones.items():
            User.objects.filter(username=name).update(time_zone=clocks)
        User.objects.filter(username="bob").update(language="ru")
        self.browsers = {name: signed_in(user) for name, user in self.users.items()}
        self.browsers["nobody"] = Client()
        self.paths = ["/", "/@hers", *(f"/@hers/{post.id}" for post in self.posts[1:])]

    def is_now(self, name: str, text: str, likes: set[tuple[str, int]]) -> None:
        Page.objects.update(name=name)
        Post.objects.update(content=text)
        for who in LIKING:
            for number in (1, 2):
                change = like if (who, number) in likes else unlike
                change(actor=self.users[who], post=self.posts[number].id)

    def shown(self, reader: str, path: str) -> str:
        answer = self.browsers[reader].get(path)
        assert answer.status_code == 200
        return answer.content.decode()


@pytest.fixture
def town(ann: User, bob: User, eve: User, moderator: User) -> Town:
    return Town()


visits = st.lists(st.tuples(st.sampled_from(READERS), st.integers(0, 3)), min_size=3, max_size=6)
likes = st.sets(st.tuples(st.sampled_from(LIKING), st.integers(1, 2)))


@property_tests(15)
@given(st.sampled_from(TEXTS), st.sampled_from(TEXTS), likes, visits)
def test_a_remembered_page_is_the_page_rendered_afresh(
    town: Town, name: str, text: str, likes: set[tuple[str, int]], visits: list[tuple[str, int]]
) -> None:
    town.is_now(name, text, likes)
    seen = {(who, n): town.shown(who, town.paths[n]) for who, n in visits}
    for (who, number), page in seen.items():
        rendered.cache_clear()
        afresh = town.shown(who, town.paths[number])
        assert UNLIKE.sub(r"\1", page) == UNLIKE.sub(r"\1", afresh)


def test_each_reader_sees_their_own(town: Town) -> None:
    """In words that owe nothing to how it is rendered."""
    town.is_now("Fog", "Words", {("bob", 1)})
    page = {who: town.shown(who, "/@hers") for who in READERS}
    path = f"/@hers/{town.posts[1].id}"
    assert {who: f'"{path}/unlike"' in page[who] for who in READERS} == only("bob")
    assert {who: f'"{path}/edit"' in page[who] for who in READERS} == only("ann")
    assert {w: f'"{path}/delete"' in page[w] for w in READERS} == only("ann", "moderator")
    # What it answers stands on Bob's private page.
    assert {who: "/@his/" in page[who] for who in READERS} == only("ann", "bob", "moderator")
    assert {who: "Ответить" in page[who] for who in READERS} == only("bob")
    clocks = {who: re.findall(r'<time[^>]* title="([^"]*)"', page[who])[0] for who in READERS}
    assert len({clocks[who] for who in ("ann", "bob", "eve")}) == 3
    assert clocks["ann"] == clocks["moderator"] == clocks["nobody"]


def only(*owners: str) -> dict[str, bool]:
    return {who: who in owners for who in READERS}


def test_a_page_has_one_token_which_is_its_readers_alone_and_no_text_gets_it(town: Town) -> None:
    town.is_now(TEXTS[1], TEXTS[2], set())
    pages: list[tuple[str, Any]] = [(who, town.shown(who, "/@hers")) for who in READERS * 2]
    tokens = [(who, set(CSRF.findall(page))) for who, page in pages]
    assert [len(found) for _, found in tokens] == [int(who != "nobody") for who, _ in tokens]
    # Each is masked anew.
    assert len(set.union(*(found for _, found in tokens))) == 2 * len(READERS[:-1])
    for (_, page), (_, found) in zip(pages, tokens, strict=True):
        assert TOKEN not in page
        assert "&lt;csrf_token&gt;" in page
        for token in found:
            assert page.count(token) == len(CSRF.findall(page))


@pytest.mark.parametrize("text", ["Fog.", "<posts><reader><next><composer>"])
def test_a_frame_has_what_is_its_readers_own_and_no_text_gets_it(town: Town, text: str) -> None:
    town.is_now(text, text, set())
    members = READERS[:-1]
    pages = [(who, town.shown(who, "/")) for who in members * 2]
    for who, page in pages:
        assert re.findall(r'data-user="([^"]*)"', page) == [str(town.users[who].id)]
        assert not re.search("<(posts|composer|reader|newest|newer|next)>", page)
    moderates = {who: 'href="/moderation"' in page for who, page in pages}
    assert moderates == {who: who == "moderator" for who in members}


def test_what_is_said_once_is_not_remembered(town: Town) -> None:
    browser = town.browsers["ann"]
    key = KEYS.findall(town.shown("ann", "/"))[0]
    said = browser.post("/", {"content": "Fog", "page": "hers", "key": key}, follow=True)
    assert "Posted." in said.content.decode()
    assert "Posted." not in town.shown("ann", "/")
    maintenance.begin("Fog over the <disk>")
    assert "Fog over the &lt;disk&gt;" in town.shown("ann", "/")
    maintenance.end()
    assert "Read-only" not in town.shown("ann", "/")


def test_a_composer_has_a_key_of_its_own_and_no_text_gets_it(town: Town) -> None:
    town.is_now("<key>", "<key>", set())
    pages = [town.shown("ann", "/?text=<key>") for _ in range(2)]
    keys = {key for page in pages for key in KEYS.findall(page)}
    assert len(keys) == 2
    for page in pages:
        assert KEY not in page
        assert sum(page.count(key) for key in keys) == 1


def test_what_was_refused_is_shown_with_its_own_key_and_reasons(town: Town) -> None:
    sent = {"content": "<b>" * 100, "page": "nobodys", "key": '"><b>'}
    page = town.browsers["ann"].post("/", sent).content.decode()
    assert "&lt;b&gt;" * 100 in page
    assert KEYS.findall(page) == ["&quot;&gt;&lt;b&gt;"]
    assert page.count('aria-invalid="true"') == 1
    assert "Select a valid choice. nobodys is not one of the available choices." in page
    assert 'role="alert"' not in town.shown("ann", "/")


def test_what_is_being_written_is_not_remembered(town: Town) -> None:
    rendered.cache_clear()
    browser = town.browsers["ann"]
    browser.get("/")
    known = rendered.cache_info().currsize
    for text in ("a" * 300, "b" * 300):
        assert text in browser.get("/", {"text": text}).content.decode()
        sent = {"content": text, "page": text, "key": text}
        assert text in browser.post("/", sent).content.decode()
    assert rendered.cache_info().currsize == known


def test_a_row_of_a_list_is_the_row_rendered_afresh() -> None:
    """Of a page and of a person, after each change of what is shown, in each language."""
    page, person = Page(uuid="fog", name="Fog"), User(username="ann", title="Ann")
    changes: list[tuple[Page | User, str, Any]] = [
        *((page, "name", TEXTS[3]), (page, "uuid", "sea"), (page, "image_id", "a" * 64)),
        *((page, "is_private", True), (page, "followers_count", 5000)),
        *((person, "username", "eve"), (person, "title", TEXTS[1]), (person, "image_id", "b" * 64)),
    ]
    context = RequestContext(HttpRequest())
    shown = set()
    for row, field, value in changes:
        setattr(row, field, value)
        for language in ("en", "ru"):
            with translation.override(language):
                rows = page_row(context, page), person_row(context, person)
                assert rows == (
                    render_to_string("web/page_row.html", {"page": page}),
                    render_to_string("web/person.html", {"person": person}),
                )
            shown.add((language, *rows))
    assert len(shown) == 2 * len(changes)
