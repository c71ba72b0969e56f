"""Everyone can use the site: axe finds nothing against WCAG 2.2 AA on any page, and none is wider
than a small phone. Both languages, each in both themes: light on a phone, dark at a desk."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import axe_playwright_python
import pytest
from playwright.sync_api import Page, Response

from dev.browser import Tabs
from dev.stack import Stack, manage
from tests.people import PASSWORD, Person

pytestmark = pytest.mark.xdist_group("stack")

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# A page is loaded once for both.
LOOKS: list[tuple[Literal["light", "dark"], int]] = [("light", 320), ("dark", 1280)]
# What a person may have called themselves, and written.
LONG_NAME = "The Very Long Name Of A Page That Goes On And On Until Eighty Letters Are There X"
WORD = "W" * 180


# Who looks at the pages.
PEOPLE = ["stranger", "owner", "newcomer", "admin"]


@pytest.fixture(scope="module")
def places(stack: Stack) -> dict[str, tuple[str, list[str]]]:
    """For each of PEOPLE a username, which a stranger has not, and paths."""
    ann, bob = Person.arrives(stack, "ann"), Person.arrives(stack, "bob")
    new, admin = Person.arrives(stack, "new"), Person.arrives(stack, "admin")
    command = manage("promote", admin.name)
    stack.processes.run(f"promote-{admin.name}", command, env=stack.env, seconds=60)
    described = {"description": WORD, "tags": ["bread", "x" * 30]}
    page = ann.post("/pages", name=LONG_NAME, **described, expect=201)["uuid"]
    closed = ann.new_page(is_private=True)
    answers = bob.new_page()
    posts = f"/pages/{page}/posts"
    post = ann.post(posts, content=WORD, expect=201)["id"]
    reply = bob.post(f"/pages/{answers}/posts", content="Yes", reply_to=post, expect=201)["id"]
    ann.post(posts, content="שלום <b>all</b>", reply_to=reply, expect=201)
    for number in range(20):
        ann.post(posts, content=f"{number} https://example.org/{'q' * 90}", expect=201)
    bob.post(f"/pages/{page}/follow")
    bob.post(f"/pages/{closed}/follow")
    ann.post(f"/posts/{reply}/like")
    here, there = f"/@{page}", f"/@{page}/{post}"
    return {
        "stranger": (
            "",
            [
                "/",
                "/login",
                "/password/reset",
                "/register",
                "/about",
                "/privacy",
                "/terms",
                "/nowhere",
                here,
                there,
                f"/@{closed}",
                f"{here}/followers",
                "/search",
                f"/search?q={ann.name}",
                f"/u/{ann.name}",
            ],
        ),
        "owner": (
            ann.name,
            [
                "/",
                here,
                there,
                f"{there}/edit",
                f"{there}/delete",
                f"{here}/edit",
                "/pages",
                "/pages/new",
                f"{here}/delete",
                f"{here}/followers",
                f"/@{closed}/requests",
                "/likes",
                f"{here}/statistics",
                "/settings",
                "/settings/account",
                "/settings/security",
            ],
        ),
        "newcomer": (new.name, ["/", "/pages", "/likes", f"/@{closed}"]),
        "admin": (
            admin.name,
            [
                "/moderation",
                "/moderation?show=pages",
                "/moderation?show=users",
                "/moderation?show=registrations",
                "/moderation?show=invites",
                here,
                there,
                f"{here}/block",
                f"{there}/delete",
                f"/u/{bob.name}",
                f"/u/{bob.name}/block",
                f"/u/{bob.name}/role",
            ],
        ),
    }


def visits(stack: Stack, tab: Page, paths: list[str]) -> Iterator[tuple[str, Response]]:
    for path in paths:
        answer = tab.goto(f"{stack.core_url}{path}")
        assert answer is not None
        assert answer.status < 500, path
        yield path, answer


def log_in(stack: Stack, tab: Page, name: str, language: str) -> None:
    tab.goto(f"{stack.core_url}/login")
    tab.locator("[name=login]").fill(name)
    tab.locator("[name=password]").fill(PASSWORD)
    tab.locator("main form button").first.click()
    tab.goto(f"{stack.core_url}/settings")
    tab.locator("[name=language]").select_option(language)
    tab.locator("[name=part][value=profile]").click()
    tab.locator(f"html[lang={language}]").wait_for()


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("language", ["en", "ru"])
def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    stack: Stack,
    places: dict[str, tuple[str, list[str]]],
    open_tab: Tabs,
    language: str,
    person: str,
) -> None:
    name, paths = places[person]
    found: list[Any] = []
    # axe is put into the page from outside, which the site's policy forbids. A colour that is
    # still on its way would be none of ours.
    tab = open_tab(locale=language, bypass_csp=True, reduced_motion="reduce")
    if name:
        log_in(stack, tab, name, language)
    for path, _ in visits(stack, tab, paths):
        tab.evaluate(AXE)
        for theme, width in LOOKS:
            tab.set_viewport_size({"width": width, "height": 800})
            tab.emulate_media(color_scheme=theme)
            found += [(path, theme, *fault) for fault in faults(tab)]
    assert found == []


def faults(tab: Page) -> Iterator[tuple[Any, ...]]:
    """Of the page, and of what opens above it."""
    wider = tab.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    if wider > 0:
        yield (f"{wider} px too wide",)
    yield from violations(tab, "html")
    if tab.locator(".sheet").count():
        tab.evaluate("document.querySelector('.sheet').showPopover()")
        yield from violations(tab, ".sheet:popover-open")
        tab.evaluate("document.querySelector('.sheet').hidePopover()")


def violations(tab: Page, where: str) -> Iterator[tuple[Any, ...]]:
    # Of what passes, axe need not say where it stands.
    options = {"runOnly": RULES, "resultTypes": ["violations"]}
    report = tab.evaluate("([where, options]) => axe.run(where, options)", [where, options])
    for fault in report["violations"]:
        yield fault["id"], [node["html"][:200] for node in fault["nodes"]]
