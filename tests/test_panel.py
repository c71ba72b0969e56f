"""The admin panel, as a person uses it: in Chromium, on the running stack."""

import pytest
from playwright.sync_api import Page

from dev.browser import Tabs
from dev.stack import Stack, manage
from tests.people import PASSWORD, Person

pytestmark = pytest.mark.xdist_group("stack")


@pytest.fixture(scope="module")
def admin(stack: Stack) -> Person:
    admin = Person.arrives(stack, "admin")
    command = manage("promote", admin.name)
    stack.processes.run(f"promote-{admin.name}", command, env=stack.env, seconds=60)
    return admin


def log_in(tab: Page, admin: Person, password: str = PASSWORD) -> None:
    tab.goto(f"{admin.stack.core_url}/admin/")
    tab.get_by_label("Username or e-mail").fill(admin.name)
    tab.get_by_label("Password").fill(password)
    tab.get_by_role("button", name="Log in").click()


def test_an_admin_logs_in_blocks_a_user_and_logs_out(
    stack: Stack, admin: Person, open_tab: Tabs
) -> None:
    eve = Person.arrives(stack, "eve")
    tab = open_tab()
    log_in(tab, admin)
    tab.get_by_role("link", name="Users").click()
    tab.get_by_role("textbox", name="Search").fill(eve.name)
    tab.get_by_role("button", name="Search").click()
    tab.get_by_role("row", name=eve.name).get_by_role("checkbox").check()
    tab.get_by_role("combobox", name="Action").select_option("Block user")
    tab.get_by_role("button", name="Run").click()
    tab.get_by_label("Reason").fill("Spam")
    tab.get_by_role("button", name="Block user").click()
    tab.get_by_text("Block user: 1 user.").wait_for()
    eve.get("/users/me", expect=401)

    tab.get_by_role("link", name="Home").click()
    tab.get_by_role("link", name="Moderation actions").click()
    row = tab.get_by_role("row", name=eve.name).inner_text()
    assert admin.name in row
    assert "Spam" in row

    tab.get_by_role("button", name="Log out").click()
    tab.get_by_role("link", name="Register").first.wait_for()
    tab.goto(f"{stack.core_url}/admin/")
    tab.get_by_role("button", name="Log in").wait_for()


def test_a_wrong_password_is_told_on_the_page(admin: Person, open_tab: Tabs) -> None:
    tab = open_tab()
    log_in(tab, admin, "not the password")
    tab.get_by_text("There is no account with this name and password.").wait_for()
    assert tab.get_by_role("button", name="Log in").is_visible()


@pytest.mark.parametrize("javascript", [True, False])
def test_what_a_lost_session_has_written_is_there_after_the_login(
    stack: Stack, open_tab: Tabs, javascript: bool
) -> None:
    ann = Person.arrives(stack, "ann")
    ann.post("/pages", name="Ann's page", expect=201)
    tab = open_tab(java_script_enabled=javascript)
    tab.goto(f"{stack.core_url}/login")
    tab.get_by_label("Username or e-mail").fill(ann.name)
    tab.get_by_label("Password").fill(PASSWORD)
    tab.get_by_role("button", name="Log in").click()
    composer = tab.get_by_label("What is new?")
    composer.fill("Words that must not be lost")
    for session in ann.get("/users/me/sessions")["results"]:
        if not session["is_current"]:
            ann.delete(f"/users/me/sessions/{session['id']}", expect=204)
    tab.get_by_role("button", name="Post", exact=True).click()
    tab.get_by_label("Username or e-mail").fill(ann.name)
    tab.get_by_label("Password").fill(PASSWORD)
    tab.get_by_role("button", name="Log in").click()
    composer.wait_for()
    assert composer.input_value() == "Words that must not be lost"
    tab.get_by_role("button", name="Post", exact=True).click()
    tab.get_by_role("article").get_by_text("Words that must not be lost").wait_for()
    assert composer.input_value() == ""
