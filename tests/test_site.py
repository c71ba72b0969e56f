"""The site as people use it: in Chromium, on a phone's width, with JavaScript and without.

Everything is found by the role and the name that assistive technology is told.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from dev.browser import PATIENCE, Tabs
from dev.gateway import gateway
from dev.stack import Stack, manage
from tests.people import PASSWORD, Person, eventually, mails_to, token_in_mail

pytestmark = pytest.mark.xdist_group("stack")

PHONE = {"width": 360, "height": 780}
BOTH_WAYS = pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])

# Of an element: whether it is what one would press there.
IS_UNCOVERED = """each => {
  const { x, y, width, height } = each.getBoundingClientRect();
  return document.elementFromPoint(x + width / 2, y + height / 2) === each;
}"""

expect.set_options(timeout=PATIENCE)


@dataclass
class Visitor:
    """Somebody at a tab of their own."""

    tab: Page
    stack: Stack
    name: str

    @property
    def email(self) -> str:
        return f"{self.name}@example.com"

    def goes_to(self, path: str) -> None:
        self.tab.goto(f"{self.stack.core_url}{path}")

    def opens(self, name: str | re.Pattern[str], within: Locator | None = None) -> None:
        """A link."""
        (within or self.tab).get_by_role("link", name=name, exact=True).first.click()

    def presses(self, name: str, within: Locator | None = None) -> None:
        (within or self.tab).get_by_role("button", name=name, exact=True).first.click()

    def fills(self, **fields: str) -> None:
        for name, value in fields.items():
            self.tab.get_by_label(name.replace("_", " "), exact=True).fill(value)

    def sees(self, role: str, name: str) -> None:
        found = self.tab.get_by_role(role, name=name)  # type: ignore[arg-type]
        expect(found.first).to_be_visible()

    def reads(self, text: str) -> Locator:
        """The post that says so."""
        article = self.tab.get_by_role("article").filter(has_text=text).first
        expect(article).to_be_visible()
        return article

    def misses(self, text: str) -> None:
        expect(self.tab.get_by_text(text)).to_have_count(0)

    def fits(self) -> None:
        """Nothing makes the phone scroll sideways."""
        width = self.tab.get_by_role("main").evaluate("() => document.body.scrollWidth")
        assert width <= PHONE["width"], self.tab.url

    # What one does here

    def registers(self) -> None:
        self.goes_to("/")
        self.opens("Register")
        self.fills(Username=self.name, Password=PASSWORD)
        self.tab.get_by_label("E-mail", exact=True).fill(self.email)
        self.presses("Register")
        self.sees("link", "My pages")

    def confirms(self) -> None:
        """The mailbox, by the link in the mail."""
        self.goes_to(f"/confirm/{token_in_mail(self.stack, self.email, '/confirm/')}")
        self.presses("Confirm")
        expect(self.tab.get_by_text("Your e-mail address is confirmed.")).to_be_visible()

    def logs_in(self) -> None:
        """From wherever the login stands."""
        self.tab.get_by_label("Username or e-mail", exact=True).fill(self.name)
        self.fills(Password=PASSWORD)
        self.presses("Log in")

    def creates(self, name: str, *, private: bool = False) -> str:
        """The path of the new page."""
        self.opens("My pages")
        self.opens("Create a page")
        self.fills(Name=name, Description=f"All about {name}", Tags="fog, sea")
        if private:
            self.tab.get_by_label("Private").check()
        self.presses("Create page")
        self.sees("heading", name)
        self.fits()
        return self.tab.url.removeprefix(self.stack.core_url)

    def posts(self, text: str, as_page: str) -> str:
        """The path of the post."""
        self.opens("Home")
        self.fills(**{"What is new?": text})
        self.tab.get_by_role("combobox", name="Post as").select_option(as_page)
        self.presses("Post")
        self.reads(text).get_by_role("link").filter(has_text=re.compile("just now|min")).click()
        expect(self.tab).to_have_url(re.compile(r"/@[^/]+/[0-9a-f-]{36}"))
        return self.tab.url.removeprefix(self.stack.core_url)

    def finds(self, name: str) -> None:
        self.opens("Search")
        self.tab.get_by_role("searchbox").fill(name)
        self.tab.get_by_role("main").get_by_role("button", name="Search").click()
        expect(self.tab).to_have_url(re.compile(r"/search\?q="))
        self.opens(name)
        self.sees("heading", name)


type Visitors = Callable[[str], Visitor]


@pytest.fixture
def visitor(stack: Stack, open_tab: Tabs, scripts: bool) -> Visitors:
    """`visitor("ann")`: at a phone of their own, with a name that nobody else has."""

    def arrives(name: str) -> Visitor:
        tab = open_tab(java_script_enabled=scripts, viewport=PHONE, locale="en")
        return Visitor(tab, stack, f"{name}-{uuid4().hex[:8]}")

    return arrives


@pytest.fixture(scope="module")
def admin(stack: Stack) -> Person:
    admin = Person.arrives(stack, "ada")
    command = manage("promote", admin.name)
    stack.processes.run(f"promote-{admin.name}", command, env=stack.env, seconds=60)
    return admin


@BOTH_WAYS
def test_two_people_go_the_whole_way(visitor: Visitors, stack: Stack) -> None:
    ann, bob = visitor("ann"), visitor("bob")
    harbour, cellar, tower = (
        f"{name} {uuid4().hex[:6]}" for name in ("Harbour", "Cellar", "Tower")
    )
    ann.registers()
    ann.creates(harbour)
    cellar_at = ann.creates(cellar, private=True)
    bob.registers()
    bob.confirms()
    bob.creates(tower)
    bob_follows_and_is_accepted(ann, bob, harbour, cellar, cellar_at)
    fog = they_talk(ann, bob, harbour, cellar, tower)
    bob_reads_his_mail(bob, stack, fog)
    ann_looks_at_her_statistics(ann, harbour)

    ann.goes_to(fog)
    ann.presses("Delete", ann.reads("Fog over the water"))
    ann.presses("Delete")
    ann.sees("heading", harbour)
    ann.misses("Fog over the water")
    bob.opens("My pages")
    bob.opens(tower)
    bob.reads("In reply to a post that is not available")


def bob_follows_and_is_accepted(
    ann: Visitor, bob: Visitor, harbour: str, cellar: str, cellar_at: str
) -> None:
    bob.finds(harbour)
    bob.presses("Follow")
    bob.sees("button", "Unfollow")
    bob.finds(cellar)
    bob.sees("heading", "This page is private")
    bob.presses("Request to follow")
    bob.presses("Withdraw request")
    bob.presses("Request to follow")
    bob.sees("button", "Withdraw request")
    expect(bob.tab.get_by_role("main")).to_contain_text("You have asked to follow it.")
    ann.goes_to(cellar_at)
    ann.opens("Follow requests")
    ann.presses("Accept", ann.tab.get_by_role("listitem").filter(has_text=bob.name))
    ann.sees("heading", "No requests")


def they_talk(ann: Visitor, bob: Visitor, harbour: str, cellar: str, tower: str) -> str:
    """The path of Ann's post."""
    ann.posts("Only for those below", cellar)
    fog = ann.posts("Fog over the water. Туман.", harbour)
    bob.opens("Home")
    bob.reads("Only for those below")
    bob.presses("Like", bob.reads("Fog over the water"))
    expect(bob.reads("Fog over the water").get_by_role("button", name="Unlike")).to_have_text("1")
    bob.opens("Likes")
    bob.reads("Fog over the water")
    bob.goes_to(fog)
    bob.presses("Unlike", bob.reads("Fog over the water"))
    bob.presses("Like", bob.reads("Fog over the water"))
    expect(bob.reads("Fog over the water").get_by_role("button", name="Unlike")).to_have_text("1")
    bob.fills(**{"What is new?": "I see nothing from up here"})
    bob.tab.get_by_role("combobox", name="Post as").select_option(tower)
    bob.presses("Reply", bob.tab.locator("form").filter(has_text="Post as"))
    bob.reads("I see nothing from up here")
    bob.fits()

    ann.goes_to(fog)
    ann.reads("I see nothing from up here")
    ann.opens("Edit", ann.reads("Fog over the water"))
    ann.fills(Text="Fog over the water, lifting")
    ann.presses("Save")
    ann.reads("Fog over the water, lifting")
    expect(ann.tab.get_by_role("main")).to_contain_text("edited")
    return fog


def bob_reads_his_mail(bob: Visitor, stack: Stack, fog: str) -> None:
    """Its links lead to the post, and to where the mails stop."""

    def arrived() -> list[str]:
        texts = [str(mail["BodyText"]) for mail in mails_to(stack, bob.email)]
        return [text for text in texts if "Fog over" in text]

    [mail] = eventually(arrived, len, seconds=60)
    links = re.findall(rf"{stack.core_url}/\S+", mail)
    bob.tab.goto(next(link for link in links if fog in link))
    bob.reads("Fog over the water, lifting")
    bob.tab.goto(next(link for link in links if "/unsubscribe/" in link))
    bob.presses("Stop the mails")
    bob.sees("heading", "The mails are stopped")


def ann_looks_at_her_statistics(ann: Visitor, harbour: str) -> None:
    ann.opens(harbour)
    ann.opens("Statistics")
    ann.sees("heading", "Statistics")
    today = ann.tab.get_by_role("row").nth(1).get_by_role("cell")

    def counted() -> list[str]:
        ann.tab.reload()
        return today.all_inner_texts()

    # Posts, replies written and received, likes, followers, requests.
    eventually(counted, lambda counts: counts == ["1", "0", "1", "1", "1", "0"], seconds=60)
    chart = ann.tab.request.get(f"{ann.tab.url}.svg")
    assert chart.headers["content-type"].startswith("image/svg+xml")
    ann.fits()


@BOTH_WAYS
def test_sessions_language_and_the_way_out(visitor: Visitors) -> None:
    bob, elsewhere = visitor("bob"), visitor("bob")
    bob.registers()
    elsewhere.name = bob.name
    elsewhere.goes_to("/login?next=/likes")
    elsewhere.logs_in()
    elsewhere.sees("heading", "Likes")
    bob.opens("Settings")
    bob.fits()
    bob.presses("End")
    expect(bob.tab.get_by_role("button", name="End", exact=True)).to_have_count(0)
    elsewhere.opens("Likes")
    elsewhere.sees("button", "Log in")

    bob.tab.get_by_role("combobox", name="Language").select_option("Русский")
    bob.presses("Save")
    bob.sees("heading", "Настройки")
    expect(bob.tab.locator("html")).to_have_attribute("lang", "ru")
    # Where one was led back to, not at the top of a long page; and no bar covers what it is.
    bob.presses("Сохранить время")
    expect(bob.tab).to_have_url(re.compile("#clock$"))
    expect(bob.tab.get_by_role("status").filter(has_text="Сохранено.")).to_be_in_viewport()
    assert bob.tab.get_by_role("heading", name="Время и ежедневные письма").evaluate(IS_UNCOVERED)
    bob.fits()
    bob.presses("Выйти")
    bob.sees("link", "Register")
    bob.goes_to("/settings")
    bob.sees("button", "Log in")


@BOTH_WAYS
def test_a_stranger_logs_in_and_comes_back_to_the_post(visitor: Visitors, stack: Stack) -> None:
    ann = Person.arrives(stack, "ann")
    uuid = ann.new_page()
    post = ann.post(f"/pages/{uuid}/posts", content="Who comes by?", expect=201)
    eve = visitor("eve")
    eve.name = Person.arrives(stack, "eve").name
    eve.goes_to(f"/@{uuid}/{post['id']}")
    eve.presses("Like", eve.reads("Who comes by?"))
    eve.logs_in()
    expect(eve.reads("Who comes by?").get_by_role("button", name="Like")).to_be_focused()
    eve.tab.keyboard.press("Enter")
    eve.sees("button", "Unlike")
    assert ann.get(f"/posts/{post['id']}")["likes_count"] == 1


@BOTH_WAYS
def test_a_moderator_blocks_a_page_and_an_admin_a_user(
    visitor: Visitors, stack: Stack, admin: Person
) -> None:
    ann = visitor("ann")
    person = Person.arrives(stack, "ann")
    ann.name = person.name
    uuid = person.new_page()
    person.post(f"/pages/{uuid}/posts", content="Buy my hats", expect=201)
    ann.goes_to("/login")
    ann.logs_in()
    ann.sees("link", "My pages")

    ada = visitor("ada")
    ada.name = admin.name
    mod = visitor("mod")
    mod.name = Person.arrives(stack, "mod").name
    ada.goes_to(f"/login?next=/u/{mod.name}")
    ada.logs_in()
    ada.opens("Change role")
    ada.tab.get_by_role("combobox", name="Role").select_option("Moderator")
    ada.fills(Reason="Helps us")
    ada.presses("Save")
    ada.sees("heading", mod.name)

    mod.goes_to(f"/login?next=/@{uuid}")
    mod.logs_in()
    mod.presses("Block page")
    mod.fills(Reason="Hats")
    mod.presses("Block page")
    expect(mod.tab.get_by_role("alert")).to_be_visible()
    assert not person.get(f"/pages/{uuid}")["is_blocked"]
    mod.goes_to(f"/@{uuid}")
    mod.presses("Block page")
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    mod.fills(Reason="Hats")
    mod.tab.get_by_label("Until (UTC)").fill(f"{tomorrow:%Y-%m-%dT%H:%M}")
    mod.presses("Block page")
    mod.sees("button", "Lift block")
    mod.fits()
    eve = visitor("eve")
    eve.goes_to(f"/@{uuid}")
    eve.sees("heading", "There is nothing here")
    mod.opens("Moderation")
    expect(mod.tab.get_by_role("main")).to_contain_text("Hats")
    mod.goes_to(f"/@{uuid}")
    mod.presses("Lift block")
    mod.fills(Reason="Fewer hats")
    mod.presses("Lift block")
    mod.sees("button", "Block page")
    eve.goes_to(f"/@{uuid}")
    eve.reads("Buy my hats")

    an_admin_blocks_the_owner(ada, ann)
    # Somebody whose browser has not kept the page for the seconds that it may.
    zoe = visitor("zoe")
    zoe.goes_to(f"/@{uuid}")
    zoe.sees("heading", "There is nothing here")


def an_admin_blocks_the_owner(ada: Visitor, ann: Visitor) -> None:
    """Whose open tab is refused at the next click."""
    ada.goes_to(f"/u/{ann.name}")
    ada.presses("Block user")
    ada.fills(Reason="More hats")
    ada.presses("Block user")
    ada.sees("button", "Unblock user")
    ann.opens("Likes")
    ann.sees("heading", "This account is blocked")


@pytest.mark.parametrize("scripts", [True], ids=["scripts"])
def test_a_keyboard_is_enough(visitor: Visitors) -> None:
    """To register, create a page, post, reply and like."""
    kim = visitor("kim")
    keys = kim.tab.keyboard

    def tab_to(role: str, name: str) -> None:
        wanted = kim.tab.get_by_role(role, name=name, exact=True).first  # type: ignore[arg-type]
        expect(wanted).to_be_visible()
        for _ in range(60):
            if wanted.evaluate("each => each === document.activeElement"):
                return
            keys.press("Tab")
        pytest.fail(f"no way to {name}")

    kim.goes_to("/")
    tab_to("link", "Register")
    keys.press("Enter")
    kim.sees("heading", "Register")
    tab_to("textbox", "Username")
    keys.type(kim.name)
    keys.press("Tab")
    keys.type(kim.email)
    keys.press("Tab")
    keys.type(PASSWORD)
    keys.press("Enter")
    tab_to("link", "Create a page")
    keys.press("Enter")
    tab_to("textbox", "Name")
    keys.type("Keys alone")
    tab_to("button", "Create page")
    keys.press("Enter")
    kim.sees("heading", "Keys alone")
    # `n` leads to the composer, wherever one is.
    keys.press("n")
    tab_to("textbox", "What is new?")
    keys.type("No mouse here")
    tab_to("button", "Post")
    keys.press("Enter")
    kim.reads("No mouse here")
    keys.press("j")
    keys.press("l")
    kim.sees("button", "Unlike")
    keys.press("r")
    expect(kim.tab).to_have_url(re.compile("#reply$"))
    expect(kim.tab.get_by_role("textbox", name="What is new?")).to_be_focused()
    keys.type("And none needed")
    keys.press("Tab")
    keys.press("Tab")
    keys.press("Enter")
    kim.reads("And none needed")


def test_the_gateway_leads_to_the_site(stack: Stack, tmp_path: Path) -> None:
    bob = Person.arrives(stack, "bob")
    # As if it stood at CORE_URL, to which all other addresses of it lead.
    named = {"Host": stack.core_url.removeprefix("http://")}
    with (
        gateway(stack, tmp_path) as url,
        httpx.Client(base_url=url, headers=named, timeout=30) as browser,
    ):
        start = browser.get("/")
        assert start.status_code == 200
        assert '<main id="main"' in start.text
        [styles] = re.findall(r'<link rel="stylesheet" href="([^"]+)"', start.text)
        sent = browser.get(styles)
        assert sent.headers["content-type"].startswith("text/css")
        assert sent.headers["content-encoding"]

        form = browser.get("/login").text
        token, *_ = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
        fields = {"login": bob.name, "password": PASSWORD, "csrfmiddlewaretoken": token}
        answer = browser.post("/login", data=fields, headers={"Origin": stack.core_url})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert "My pages" in browser.get("/").text
