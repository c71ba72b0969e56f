"""For tests: what a person sees, in Chromium. A plugin of pytest, so that every test has it.

A failure leaves a picture of each open tab below `.data/screenshots`. A machine on which there is
no browser, and none can be fetched, fails the test.
"""

import re
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from dev import tools
from dev.paths import DATA

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SCREENSHOTS = DATA / "screenshots"
# It runs as root too, shows nothing, and asks nobody for updates.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Milliseconds that an element or a page may take to be there.
PATIENCE = 20_000


class Tabs:
    """`open_tab(**options)`: a tab of a browser that knows nothing of the others' cookies."""

    def __init__(self, browser: "Browser") -> None:
        self._browser = browser
        self.pages: list[Page] = []

    def __call__(self, **options: Any) -> "Page":
        """The options are those of Playwright's new_context: java_script_enabled, viewport,
        locale, color_scheme…"""
        context = self._browser.new_context(**options)
        context.set_default_timeout(PATIENCE)
        self.pages.append(context.new_page())
        return self.pages[-1]

    def close(self) -> None:
        for page in self.pages:
            page.context.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator["Browser"]:
    """One for the tests of a module, and gone before those of the next: while it is there, its
    thread has an event loop, with which asyncio.run() and Django's rows don't get along."""
    # Half a second that tests without a browser save.
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    path = tools.chromium()
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_tab(chromium: "Browser") -> Iterator[Tabs]:
    tabs = Tabs(chromium)
    yield tabs
    tabs.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure comes with a picture of what the person saw."""
    report = yield
    tabs = getattr(item, "funcargs", {}).get("open_tab")
    if report.when == "call" and report.failed and isinstance(tabs, Tabs):
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        for number, page in enumerate(tabs.pages, start=1):
            file = SCREENSHOTS / f"{re.sub(r'\W+', '-', item.nodeid)}-{number}.png"
            page.screenshot(path=file, full_page=True)
            report.sections.append((f"tab {number}", f"{page.url}\n{file}"))
    return report
