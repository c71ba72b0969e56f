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
    tab.get_by_label("Username").fill(admin.name)
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
    tab.goto(f"{stack.core_url}/admin/")
    tab.get_by_role("button", name="Log in").wait_for()


def test_a_wrong_password_is_told_on_the_page(admin: Person, open_tab: Tabs) -> None:
    tab = open_tab()
    log_in(tab, admin, "not the password")
    tab.get_by_text("Please enter the correct username and password").wait_for()
    assert tab.get_by_role("button", name="Log in").is_visible()
