"""`make screenshots`: the pictures of the README, of the demo data in Chromium.

They are made anew after each change of what the site looks like. Run by dev/run_tests.py, against
parts of its own.
"""

import io
import re
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from dev import tools
from dev.browser import FLAGS
from dev.demo import PASSWORD
from dev.paths import ROOT
from dev.stack import Stack
from dev.testing import stack_for_tests

FOLDER = ROOT / "docs" / "images-of-site"
PHONE = {
    "viewport": {"width": 390, "height": 780},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
DESK = {"width": 1280, "height": 780}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with stack_for_tests() as stack, sync_playwright() as playwright:
        demo = [sys.executable, "-m", "dev.demo"]
        stack.processes.run("demo", demo, env=stack.env, seconds=300)
        browser = playwright.chromium.launch(executable_path=tools.chromium(), args=FLAGS)
        desk = _signed_in(browser, stack, viewport=DESK, color_scheme="light")
        _keep(desk, "desk-light")
        phone = _signed_in(browser, stack, color_scheme="dark", **PHONE)
        answered = phone.get_by_role("link", name="Reply").filter(has_text=re.compile(r"\d"))
        post = phone.get_by_role("article").filter(has=answered).first
        post.get_by_role("link").filter(has_text="ago").click()
        _keep(phone, "phone-dark")
        browser.close()


def _signed_in(browser: Browser, stack: Stack, **options: object) -> Page:
    """At Bob's feed."""
    tab = browser.new_context(locale="en", **options).new_page()  # type: ignore[arg-type]
    tab.goto(f"{stack.core_url}/login")
    tab.get_by_label("Username or e-mail").fill("bob")
    tab.get_by_label("Password").fill(PASSWORD)
    tab.get_by_role("button", name="Log in").click()
    tab.get_by_role("article").first.wait_for()
    return tab


def _keep(tab: Page, name: str) -> None:
    tab.wait_for_load_state("networkidle")
    tab.evaluate("document.activeElement.blur()")
    file = FOLDER / f"{name}.webp"
    with Image.open(io.BytesIO(tab.screenshot())) as picture:
        picture.save(file, quality=82, method=6)
    print(f"  {Path(file).relative_to(ROOT)}  {file.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
