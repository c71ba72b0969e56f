"""The second factor as people use it: an app without JavaScript, a passkey of Chromium's own
virtual authenticator."""

import re
from uuid import uuid4

import pyotp
import pytest
from playwright.sync_api import Page, expect

from dev.browser import PATIENCE, Tabs
from dev.stack import Stack
from tests.people import PASSWORD, Person

pytestmark = pytest.mark.xdist_group("stack")

expect.set_options(timeout=PATIENCE)
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
def ann(stack: Stack) -> Person:
    return Person.arrives(stack, "ann", confirmed=True)


def log_in(tab: Page, person: Person, path: str = "/login") -> None:
    tab.goto(f"{person.stack.core_url}{path}")
    tab.get_by_label("Username or e-mail", exact=True).fill(person.name)
    tab.get_by_label("Password", exact=True).fill(PASSWORD)
    press(tab, "Log in")


def log_out(tab: Page) -> None:
    press(tab, "Log out")
    expect(tab.get_by_role("link", name="Register").first).to_be_visible()


def press(tab: Page, name: str) -> None:
    tab.get_by_role("button", name=name, exact=True).click()


def give_code(tab: Page, code: str, button: str) -> None:
    tab.get_by_label("Code", exact=True).fill(code)
    press(tab, button)


def test_an_app_is_set_up_used_and_lost_without_javascript(ann: Person, open_tab: Tabs) -> None:
    security = f"{ann.stack.core_url}/settings/security"
    tab = open_tab(java_script_enabled=False, locale="en")
    log_in(tab, ann)
    tab.goto(security)
    press(tab, "Set up an authenticator app")
    expect(tab.locator("svg.qr")).to_be_visible()
    app = pyotp.TOTP(tab.locator("code.secret").inner_text().replace(" ", ""))
    first = app.now()
    give_code(tab, first, "Turn on")
    codes = tab.locator("ol.codes code").all_inner_texts()
    assert len(set(codes)) == 10
    # They are shown once, and so where one looks.
    expect(tab.locator("ol.codes")).to_be_in_viewport()
    log_out(tab)

    log_in(tab, ann, "/login?next=/likes")
    expect(tab).to_have_url(re.compile("/login/second-factor"))
    # That code is used up.
    give_code(tab, first, "Log in")
    expect(tab.get_by_text("Wrong code")).to_be_visible()
    tab.get_by_role("link", name="Use a recovery code").click()
    tab.get_by_label("Recovery code").fill(codes[0])
    press(tab, "Log in")
    expect(tab).to_have_url(f"{ann.stack.core_url}/likes")

    tab.goto(security)
    expect(tab.get_by_text("9 codes are left")).to_be_visible()
    press(tab, "Turn off")
    log_out(tab)
    log_in(tab, ann)
    expect(tab.get_by_role("link", name="My pages")).to_be_visible()


def test_a_passkey_of_the_browser_opens_the_site_alone(ann: Person, open_tab: Tabs) -> None:
    tab = open_tab(locale="en")
    chromium = tab.context.new_cdp_session(tab)
    chromium.send("WebAuthn.enable")
    chromium.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    log_in(tab, ann)
    tab.goto(f"{ann.stack.core_url}/settings/security")
    name = f"Key {uuid4().hex[:6]}"
    tab.get_by_label("Name of the passkey").fill(name)
    press(tab, "Add a passkey")
    expect(tab.locator("ol.codes code")).to_have_count(10)
    expect(tab.locator("ol.codes")).to_be_in_viewport()
    expect(tab.get_by_text(name)).to_be_visible()
    tab.get_by_label("Name of the passkey").fill(name)
    press(tab, "Add a passkey")
    expect(tab.get_by_text("This passkey was added before.")).to_be_visible()
    log_out(tab)

    tab.goto(f"{ann.stack.core_url}/login?next=/likes")
    press(tab, "Use a passkey")
    expect(tab).to_have_url(f"{ann.stack.core_url}/likes")
    log_out(tab)

    # It is the second step of a login with the password, too.
    log_in(tab, ann)
    expect(tab).to_have_url(re.compile("/login/second-factor"))
    press(tab, "Use a passkey")
    expect(tab.get_by_role("link", name="My pages")).to_be_visible()
