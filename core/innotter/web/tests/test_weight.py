"""How much a page of the site costs a phone: bytes as they travel, and requests."""

import gzip
from html.parser import HTMLParser
from pathlib import Path

import django_htmx
import pytest
from django.test import Client

from innotter.accounts.models import User
from innotter.conftest import new_page, new_post, signed_in

STATIC = Path(__file__).parents[1] / "static" / "web"
HTMX = Path(django_htmx.__file__).parent / "static" / "django_htmx" / "htmx-2.min.js"
KB = 1024
LETTERS = "The kettle is on and the window is open; "


def travels(*contents: bytes) -> int:
    """Bytes, each compressed as WhiteNoise does."""
    return sum(len(gzip.compress(content)) for content in contents)


class Requests(HTMLParser):
    """What a browser fetches for a page, pictures of people aside."""

    def __init__(self) -> None:
        super().__init__()
        self.paths: set[str] = set()
        self.inline: list[str] = []
        self.awaited: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "script":
            self.paths |= {found[name] or "" for name in ("src", "data-htmx") if name in found}
            self.awaited += [] if "async" in found or found.get("type") == "module" else [tag]
        if tag == "link" and found.get("rel") in ("stylesheet", "icon", "manifest"):
            self.paths.add(found.get("href") or "")
        self.inline += [name for name in found if name.startswith("on") or name == "style"]
        self.inline += [tag] if tag == "style" or (tag == "script" and "src" not in found) else []


def scripts() -> list[Path]:
    return sorted(STATIC.glob("*.js"))


def test_scripts_are_small() -> None:
    assert travels(HTMX.read_bytes(), *(file.read_bytes() for file in scripts())) <= 25 * KB


def test_styles_are_small() -> None:
    assert travels(*(file.read_bytes() for file in STATIC.glob("*.css"))) <= 15 * KB


@pytest.fixture
def browser(bob: User) -> Client:
    """Of Bob, whose feed is full of posts of the greatest length in which nothing repeats itself,
    from a page of his own, so that each has all its controls."""
    page = new_page(bob, uuid="bob-on-foot")
    for number in range(20):
        new_post(page, f"{LETTERS}{number:03}".ljust(180, chr(97 + number)))
    return signed_in(bob)


def test_a_feed_of_twenty_posts_is_small(browser: Client) -> None:
    packed = browser.get("/", headers={"Accept-Encoding": "gzip"}).content
    assert gzip.decompress(packed).count(b"<article") == 20
    assert len(packed) <= 15 * KB


def test_a_page_takes_few_requests_has_nothing_inline_and_waits_for_no_script(
    browser: Client,
) -> None:
    page = Requests()
    page.feed(browser.get("/").content.decode())
    assert page.inline == []
    assert page.awaited == []
    assert "" not in page.paths
    assert 1 + len(page.paths) <= 6
    # Nor does a script fetch another.
    assert not any("import " in file.read_text() for file in scripts())
