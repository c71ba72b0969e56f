"""What the site's scripts add: parts that change by themselves, the place in a list, drafts, keys.

Without them the same pages are links and forms, which tests/test_site.py goes through.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, Route, expect

from dev.assertions import wait_until
from dev.browser import PATIENCE, Tabs
from dev.stack import Stack
from tests.people import PASSWORD, Person

pytestmark = pytest.mark.xdist_group("stack")

PHONE = {"width": 360, "height": 780}
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
# Milliseconds between two questions for new posts, and a little more.
POLL = 31_000

expect.set_options(timeout=PATIENCE)


@dataclass
class Town:
    """Bob follows Ann's page, on which are more posts than a list shows at once."""

    ann: Person
    uuid: str
    cookies: list[Any]


@pytest.fixture(scope="module")
def town(stack: Stack) -> Town:
    ann, bob = Person.arrives(stack, "ann"), Person.arrives(stack, "bob")
    uuid = ann.new_page()
    for number in range(25):
        ann.post(f"/pages/{uuid}/posts", content=f"Number {number}.", expect=201)
    bob.post(f"/pages/{uuid}/follow")
    bob.new_page()
    return Town(ann, uuid, cookies_of(bob))


def cookies_of(person: Person) -> list[Any]:
    """Of a session on the site, as a browser takes them."""
    url = person.stack.core_url
    with httpx.Client(base_url=url, timeout=30) as browser:
        form = {"login": person.name, "password": PASSWORD}
        token, *_ = TOKEN.findall(browser.get("/login").text)
        answer = browser.post("/login", data={**form, "csrfmiddlewaretoken": token})
        assert answer.status_code == 303
        return [{"name": n, "value": v, "url": url} for n, v in browser.cookies.items()]


type Opens = Callable[[str], Page]


@pytest.fixture
def bobs_tab(stack: Stack, town: Town, open_tab: Tabs) -> Page:
    tab = open_tab(viewport=PHONE, locale="en", base_url=stack.core_url)
    tab.context.add_cookies(town.cookies)
    return tab


@pytest.fixture
def bobs(bobs_tab: Page) -> Opens:
    """`bobs("/")`: that page on Bob's phone."""
    tab = bobs_tab

    def opens(path: str) -> Page:
        tab.goto(path)
        if tab.locator("[hx-get], [hx-post]").count():
            wait_until(lambda: tab.evaluate("'htmx' in window"))
        return tab

    return opens


def post(tab: Page, number: int) -> Locator:
    return tab.get_by_role("article").filter(has_text=f"Number {number}.")


def is_the_same_document(tab: Page) -> bool:
    return bool(tab.evaluate("window.seen === true"))


def mark(tab: Page) -> None:
    tab.evaluate("window.seen = true")


def test_what_is_painted_waits_for_no_htmx_and_other_pages_have_none(bobs: Opens) -> None:
    tab = bobs("/")
    painted, asked = tab.evaluate(
        "[performance.getEntriesByName('first-contentful-paint'),"
        " performance.getEntriesByType('resource').filter(each => each.name.includes('htmx'))]"
        ".map(([entry]) => entry.startTime)"
    )
    assert asked >= painted
    tab = bobs("/about")
    tab.wait_for_load_state("networkidle")
    assert tab.locator("script[src*=htmx]").count() == 0


@contextmanager
def opened_without_its_styles(tab: Page) -> Iterator[None]:
    """The feed, whose script has run and which nobody sees yet: it is painted afterwards."""
    styles: list[Route] = []

    def hold(route: Route) -> None:
        styles.append(route)

    tab.route(re.compile(r"\.css$"), hold, times=1)
    tab.goto("/", wait_until="commit")
    try:
        # From outside the page, whose policy forbids eval.
        wait_until(lambda: tab.evaluate("typeof begin === 'function'"))
        yield
    finally:
        for route in styles:
            route.continue_()


def test_a_script_that_is_there_before_the_paint_leaves_page_and_storage_alone(
    bobs_tab: Page,
) -> None:
    tab = bobs_tab
    tab.add_init_script(
        "window.reads = 0;"
        "const { getItem } = Storage.prototype;"
        "Storage.prototype.getItem = function (name) {"
        " reads += 1; return getItem.call(this, name); };"
    )
    with opened_without_its_styles(tab):
        assert tab.evaluate("performance.getEntriesByType('paint').length") == 0
        assert tab.evaluate("reads") == 0
        assert tab.evaluate("document.querySelector('[data-open-keys]').hidden")
    expect(tab.get_by_role("button", name="Keyboard shortcuts")).to_be_visible()
    expect(tab.locator(".counter")).to_have_text("180")
    assert tab.evaluate("reads") > 0


def test_what_is_written_before_the_paint_is_a_draft_too(bobs_tab: Page) -> None:
    tab = bobs_tab
    with opened_without_its_styles(tab):
        tab.evaluate("document.querySelector('.composer textarea').value = 'Early words.'")
    expect(tab.locator(".counter")).to_have_text("168")
    tab.reload()
    expect(tab.get_by_label("What is new?")).to_have_value("Early words.")


def test_a_like_and_a_follow_change_their_own_part(bobs: Opens, town: Town) -> None:
    tab = bobs("/")
    mark(tab)
    post(tab, 24).get_by_role("button", name="Like", exact=True).click()
    unlike = post(tab, 24).get_by_role("button", name="Unlike")
    expect(unlike).to_have_text("1")
    expect(unlike).to_be_focused()
    unlike.click()
    expect(post(tab, 24).get_by_role("button", name="Like", exact=True)).to_have_text("")
    assert is_the_same_document(tab)

    tab = bobs(f"/@{town.uuid}")
    mark(tab)
    expect(tab.get_by_text("1 follower")).to_be_visible()
    tab.get_by_role("button", name="Unfollow").click()
    expect(tab.get_by_text("0 followers")).to_be_visible()
    tab.get_by_role("button", name="Follow", exact=True).click()
    expect(tab.get_by_role("button", name="Unfollow")).to_be_focused()
    assert is_the_same_document(tab)


def test_older_posts_join_the_list_and_going_back_finds_the_place(bobs: Opens) -> None:
    tab = bobs("/")
    mark(tab)
    expect(tab.get_by_role("article")).to_have_count(20)
    tab.get_by_role("link", name="Older posts").click()
    expect(tab.get_by_role("article")).to_have_count(25)
    assert is_the_same_document(tab)
    expect(post(tab, 4)).to_be_focused()
    expect(tab.locator("#said")).to_have_text("Loaded: 5")
    post(tab, 1).get_by_role("link").filter(has_text="ago").or_(
        post(tab, 1).get_by_role("link").filter(has_text="just now")
    ).click()
    expect(tab).to_have_url(re.compile(r"/@[^/]+/[0-9a-f-]{36}$"))
    tab.go_back()
    expect(post(tab, 1)).to_be_in_viewport()
    expect(tab.get_by_role("link", name="Newer posts")).to_be_visible()


def test_new_posts_are_announced_and_move_nothing(bobs: Opens, town: Town) -> None:
    tab = bobs("/about")
    tab.clock.install()
    tab = bobs("/")
    first = tab.get_by_role("article").first
    tab.mouse.wheel(0, 300)
    expect(first).to_be_in_viewport()
    before = first.evaluate("each => each.getBoundingClientRect().top + scrollY")
    fresh = tab.locator("#fresh")
    polled = str(fresh.get_attribute("data-poll"))
    town.ann.post(f"/pages/{town.ann.new_page()}/posts", content="Of no page of Bob's", expect=201)

    def goes_on() -> bool:
        """Where others have written, the next poll goes on from five seconds ago."""
        tab.clock.run_for(POLL)
        return fresh.get_attribute("data-poll") != polled

    wait_until(goes_on)
    made = town.ann.post(f"/pages/{town.uuid}/posts", content="Hot news", expect=201)
    announced = tab.get_by_role("link", name="1 new post")

    def is_announced() -> bool:
        """By the next poll, or the one after: of the newest post a process knows for a second."""
        tab.clock.run_for(POLL)
        return announced.is_visible()

    try:
        wait_until(is_announced)
        assert first.evaluate("each => each.getBoundingClientRect().top + scrollY") == before
        expect(tab.get_by_text("Hot news")).to_have_count(0)
        announced.click()
        expect(tab.get_by_text("Hot news")).to_be_in_viewport()
    finally:
        town.ann.delete(f"/posts/{made['id']}", expect=204)


def test_suggestions_appear_while_one_types(bobs: Opens, town: Town) -> None:
    tab = bobs("/search")
    suggested = tab.locator(f"#suggestions a[href='/@{town.uuid}']")
    tab.get_by_role("searchbox").press_sequentially(f"Page of {town.ann.name}"[:-2])
    expect(suggested).to_be_visible()
    tab.keyboard.press("Escape")
    expect(suggested).to_have_count(0)


def test_a_draft_survives_a_closed_tab_and_not_the_way_out(bobs: Opens) -> None:
    tab = bobs("/")
    tab.get_by_label("What is new?").fill("Half a thou")
    expect(tab.get_by_role("status").filter(has_text="169")).to_be_visible()
    tab = bobs("/likes")
    tab = bobs("/")
    field = tab.get_by_label("What is new?")
    expect(field).to_have_value("Half a thou")
    field.fill("A thought, whole")
    tab.get_by_role("button", name="Post", exact=True).click()
    expect(tab.get_by_text("Posted.")).to_be_visible()
    expect(field).to_have_value("")
    field.fill("What nobody else may read")
    # During maintenance nobody is logged out.
    tab.route("**/logout", lambda asked: asked.fulfill(status=503, body="Later."))
    tab.get_by_role("button", name="Log out").click()
    expect(tab.get_by_text("Later.")).to_be_visible()
    tab = bobs("/")
    expect(field).to_have_value("What nobody else may read")
    tab.route("**/logout", lambda asked: asked.fulfill(status=303, headers={"Location": "/"}))
    tab.context.clear_cookies()
    tab.get_by_role("button", name="Log out").click()
    expect(tab.get_by_role("link", name="Log in").first).to_be_visible()
    # After the first paint.
    kept = "Object.keys(localStorage).filter(name => name.startsWith('draft'))"
    wait_until(lambda: tab.evaluate(kept) == [])


def test_a_second_press_asks_for_nothing(bobs: Opens, town: Town) -> None:
    tab = bobs("/pages/new")
    tab.get_by_label("Name", exact=True).fill(f"Once, {town.uuid}")
    tab.evaluate(
        "() => { const button = document.querySelector('main form .button');"
        " button.click(); setTimeout(() => button.click(), 20); }"
    )
    expect(tab.get_by_role("heading", name=f"Once, {town.uuid}")).to_be_visible()
    bobs("/pages")
    expect(tab.get_by_role("link", name=f"Once, {town.uuid}")).to_have_count(1)


def test_an_answer_that_got_lost_makes_no_second_post(bobs: Opens) -> None:
    tab = bobs("/")
    answers: list[int] = []

    def lose(route: Route) -> None:
        answers.append(route.fetch(max_redirects=0).status)
        route.abort("connectionreset")

    field = tab.get_by_label("What is new?")
    field.fill("Said in a tunnel")
    tab.route(lambda url: url.endswith("/"), lose, times=1)
    with tab.expect_event("requestfailed"):
        tab.get_by_role("button", name="Post", exact=True).click(no_wait_after=True)
    expect(tab).to_have_url(re.compile("^chrome-error"))
    assert answers == [303]
    # It was in the answer: that the post is there.
    tab.context.clear_cookies(name="messages")
    tab = bobs("/")
    expect(field).to_have_value("Said in a tunnel")
    tab.get_by_role("button", name="Post", exact=True).click()
    expect(tab.get_by_text("Posted.")).to_be_visible()
    expect(field).to_have_value("")
    said = tab.get_by_role("article").filter(has_text="Said in a tunnel")
    expect(said).to_have_count(1)
    # Who knows that it is there may say it again.
    field.fill("Said in a tunnel")
    tab.get_by_role("button", name="Post", exact=True).click()
    expect(said).to_have_count(2)


def test_the_way_back_brings_no_words_that_were_sent(bobs: Opens) -> None:
    tab = bobs("/")
    field = tab.get_by_label("What is new?")
    field.fill("Sent from another tab")
    tab = bobs("/likes")
    other = tab.context.new_page()
    other.goto("/")
    other.get_by_role("button", name="Post", exact=True).click()
    expect(other.get_by_text("Posted.")).to_be_visible()
    other.close()
    tab.go_back()
    expect(tab.locator(".counter")).to_have_text("180")
    expect(field).to_have_value("")


def test_keys_do_what_their_list_says(bobs: Opens) -> None:
    tab = bobs("/")
    press = tab.keyboard.press
    articles = tab.get_by_role("article")
    press("j")
    expect(articles.nth(0)).to_be_focused()
    press("j")
    expect(articles.nth(1)).to_be_focused()
    press("k")
    expect(articles.nth(0)).to_be_focused()
    press("n")
    field = tab.get_by_label("What is new?")
    expect(field).to_be_focused()
    press("j")
    expect(field).to_have_value("j")
    field.fill("")
    field.blur()
    press("j")
    press("l")
    unlike = articles.nth(0).get_by_role("button", name="Unlike")
    expect(unlike).to_be_visible()
    press("l")
    expect(unlike).to_have_count(0)
    press("r")
    expect(tab).to_have_url(re.compile("#reply$"))
    expect(tab.get_by_label("What is new?")).to_be_focused()
    tab = bobs("/search")
    press("/")
    expect(tab.get_by_role("searchbox")).to_be_focused()


def test_keys_go_on_at_the_post_to_which_a_form_leads_back(bobs_tab: Page) -> None:
    """Who is faster than htmx sends the form, and gets the page anew."""
    tab = bobs_tab
    tab.route("**/*htmx*", lambda route: route.abort())
    tab.goto("/")
    liked = tab.get_by_role("article").nth(2)
    words = liked.locator(".words").inner_text()
    for key in "jjjl":
        tab.keyboard.press(key)
    expect(tab).to_have_url(re.compile("#post-"))
    expect(liked.get_by_role("button", name="Unlike")).to_be_visible()
    tab.keyboard.press("r")
    expect(tab).to_have_url(re.compile("#reply$"))
    expect(tab.get_by_role("article").first).to_contain_text(words)


def test_keys_can_be_switched_off_where_their_list_stands(bobs: Opens) -> None:
    tab = bobs("/")
    press = tab.keyboard.press
    press("?")
    shown = tab.get_by_role("dialog", name="Keyboard shortcuts")
    expect(shown).to_be_visible()
    shown.get_by_label("Use keyboard shortcuts").uncheck()
    shown.get_by_role("button", name="Close").click()
    expect(shown).to_be_hidden()
    press("n")
    press("j")
    expect(tab.get_by_label("What is new?")).not_to_be_focused()
    assert tab.evaluate("document.activeElement.matches('article')") is False
    press("?")
    expect(shown).to_be_visible()
    shown.get_by_label("Use keyboard shortcuts").check()
    press("Escape")
    expect(shown).to_be_hidden()
    press("n")
    expect(tab.get_by_label("What is new?")).to_be_focused()
