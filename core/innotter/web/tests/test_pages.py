"""Pages of the site, as a browser without scripts gets them."""

import json
import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from django.conf import settings
from django.test import Client

from innotter.accounts.models import User
from innotter.conftest import (
    PASSWORD,
    make_follower,
    new_page,
    new_post,
    no_trace,
    signed_in,
)
from innotter.moderation.models import ModerationAction
from innotter.moderation.services import block_page, block_user
from innotter.pages.models import Follow, Page
from innotter.posts.models import Like, Post
from innotter.posts.services import delete_post
from innotter.web.statistics_service import Answer
from innotter.web.templatetags.web import ACTIONS, Action, Kind

ATOM = "{http://www.w3.org/2005/Atom}"


class Buttons(HTMLParser):
    """The names of a document's buttons and links, and where each button's form leads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._action, self._name = "", ""
        self._inside: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "form":
            self._action = values.get("action") or ""
        # What opens a form in place does nothing itself.
        if tag in ("button", "a") and "popovertarget" not in values:
            self._inside, self._name = tag, values.get("aria-label") or ""
            self._target = self._action if tag == "button" else values.get("href") or ""

    def handle_data(self, data: str) -> None:
        if self._inside and not self._name:
            self._name = data.strip()

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self.found.setdefault(self._name, self._target)
            self._inside = None


def controls(browser: Client, path: str) -> dict[str, str]:
    answer = browser.get(path)
    assert answer.status_code == 200
    return Buttons(answer.content.decode()).found


def path_of(post: Post) -> str:
    return f"/@{post.page.uuid}/{post.id}"


@pytest.mark.parametrize("where", ["page", "post"])
def test_a_stranger_is_sent_to_log_in_and_comes_back(page: Page, post: Post, where: str) -> None:
    path = f"/@{page.uuid}" if where == "page" else path_of(post)
    found = controls(Client(), path)
    text = Client().get(path).content.decode()
    at = path_of(post)
    wanted = {"Like": f"{at}?act=like", "Reply": f"{at}?act=reply"}
    if where == "page":
        wanted["Follow"] = f"{path}?act=follow"
    for name, then in wanted.items():
        assert found[name] == "/login"
        assert re.search(rf'<button[^>]* name="next" value="{re.escape(then)}"', text)


@pytest.mark.parametrize("act", ["like", "follow"])
def test_back_from_the_login_one_press_does_it_and_the_link_alone_nothing(
    page: Page, post: Post, eve: User, act: str
) -> None:
    thing = "/@ann" if act == "follow" else path_of(post)
    sent = Client().post(f"{thing}/{act}")
    assert sent["Location"] == f"/login?{urlencode({'next': f'{thing}?act={act}'})}"
    browser = Client()
    form = {"login": "eve", "password": PASSWORD, "next": f"{thing}?act={act}"}
    back = browser.post("/login", form)
    assert back["Location"] == f"{thing}?act={act}"
    with no_trace():
        text = browser.get(back["Location"]).content.decode()
    [focused] = re.findall(r"<button[^>]* autofocus[^>]*>", text)
    assert f'id="{act}' in focused
    done = browser.post(
        f"{thing}/{act}", headers={"Referer": f"http://testserver{thing}?act={act}"}
    )
    assert done["Location"].startswith(f"http://testserver{thing}")
    assert "act=" not in done["Location"]
    assert not re.findall(r"<button[^>]* autofocus", browser.get(f"{thing}?act={act}").text)


def test_who_has_no_page_creates_one_and_comes_back_to_the_reply(post: Post, eve: User) -> None:
    at = f"{path_of(post)}?act=reply"
    browser = signed_in(eve)
    assert controls(browser, at)["Create a page"] == f"/pages/new?next={at.replace('?', '%3F')}"
    made = browser.post(f"/pages/new?{urlencode({'next': at})}", {"name": "Eve", "uuid": "eve"})
    assert made["Location"] == at
    assert re.findall(r"<textarea[^>]* autofocus", browser.get(at).text)
    elsewhere = {"name": "Eve", "uuid": "eve-2"}
    made = browser.post("/pages/new?next=https://example.org/", elsewhere)
    assert made["Location"] == "/@eve-2"


def test_a_private_page_is_asked_for_and_its_posts_stay_closed(
    private_page: Page, eve: User
) -> None:
    new_post(private_page, "Between us")
    browser = signed_in(eve)
    assert "Request to follow" in controls(browser, "/@ann-private")
    browser.post("/@ann-private/follow")
    assert "Withdraw request" in controls(browser, "/@ann-private")
    answer = browser.get("/@ann-private").content.decode()
    assert "Between us" not in answer
    assert 'name="robots" content="noindex"' in answer
    browser.post("/@ann-private/unfollow")
    assert not Follow.objects.filter(user=eve).exists()


def test_following_by_htmx_brings_the_profile_with_its_new_count(page: Page, eve: User) -> None:
    answer = signed_in(eve).post("/@ann/follow", headers={"HX-Request": "true"})
    text = answer.content.decode()
    assert text.lstrip().startswith("<section")
    assert "Unfollow" in text
    assert "<b>1</b> follower" in text


def test_liking_by_htmx_brings_the_button_as_it_is_now(post: Post, eve: User) -> None:
    browser = signed_in(eve)
    answer = browser.post(f"{path_of(post)}/like", headers={"HX-Request": "true"})
    assert Buttons(answer.content.decode()).found == {"Unlike": f"{path_of(post)}/unlike"}
    assert Like.objects.count() == 1
    answer = browser.post(f"{path_of(post)}/unlike", headers={"HX-Request": "true"})
    assert "Like" in Buttons(answer.content.decode()).found
    assert not Like.objects.exists()


def test_several_requests_are_accepted_by_tick_and_the_rest_rejected(
    private_page: Page, ann: User, eve: User, moderator: User, admin: User
) -> None:
    for user in (eve, moderator, admin):
        signed_in(user).post("/@ann-private/follow")
    browser = signed_in(ann)
    path = "/@ann-private/requests"
    assert {"Accept", "Reject", "Accept all", "Reject all"} <= controls(browser, path).keys()
    answer = browser.post(path, {"answer": "accept", "username": ["eve", "moderator"]}, follow=True)
    assert "2 requests accepted." in answer.content.decode()
    browser.post(path, {"answer": "reject_all"})
    followers = Follow.objects.filter(accepted_at__isnull=False).values_list("user__username")
    assert sorted(name for (name,) in followers) == ["eve", "moderator"]
    assert Follow.objects.count() == 2


def test_a_line_break_of_a_browser_counts_as_one_character(page: Page, ann: User) -> None:
    """Browsers send two for it."""
    form = {"page": "ann", "key": "k", "content": "a\r\n" * 90}
    signed_in(ann).post("/", form)
    assert Post.objects.get().content == "a\n" * 90


def test_a_post_that_is_refused_says_why_and_keeps_its_words(page: Page, ann: User) -> None:
    answer = signed_in(ann).post("/", {"page": "ann", "key": "k", "content": "x" * 181})
    text = answer.content.decode()
    assert "At most 180 characters are allowed." in text
    assert "x" * 181 in text
    assert not Post.objects.exists()


def test_a_refusal_is_in_the_writers_language(page: Page, ann: User) -> None:
    ann.language = User.Language.RUSSIAN
    ann.save()
    answer = signed_in(ann).post("/", {"page": "ann", "key": "k", "content": "x" * 181})
    assert "Не больше 180 символов." in answer.content.decode()


def test_new_posts_announce_themselves_and_push_nothing(page: Page, ann: User, bob: User) -> None:
    browser = signed_in(bob)
    new_post(page)
    text = browser.get("/").content.decode()
    poll = text.split('data-poll="', 1)[1].split('"', 1)[0].replace("&amp;", "&")
    assert browser.get(poll).status_code == 204
    new_post(page)
    new_post(new_page(ann, uuid="unfollowed"))
    assert "1 new post" in browser.get(poll).content.decode()
    assert Client().get(poll).status_code == 204
    assert browser.get("/feed/new?after=nonsense").status_code == 400


def test_a_thread_indents_five_levels(page: Page, ann: User) -> None:
    root = last = new_post(page)
    for number in range(8):
        last = new_post(page, f"{number}", last)
    text = signed_in(ann).get(path_of(root)).content.decode()
    assert [text.count(f'data-depth="{depth}"') for depth in range(1, 7)] == [1, 1, 1, 1, 3, 0]


def test_moderators_see_their_tools_and_others_do_not(
    page: Page, post: Post, moderator: User, eve: User
) -> None:
    assert "Block page" not in controls(signed_in(eve), "/@ann")
    assert "Delete" not in controls(signed_in(eve), path_of(post))
    browser = signed_in(moderator)
    assert "Delete" in controls(browser, path_of(post))
    assert controls(browser, "/@ann")["Block page"] == "/@ann/block"
    browser.post("/@ann/block", {"until": "2999-01-01T00:00", "reason": "Spam"})
    assert controls(browser, "/@ann")["Lift block"] == "/@ann/unblock"
    assert "Spam" in browser.get("/moderation").content.decode()
    browser.post(f"{path_of(post)}/delete", {"reason": "Spam too"})
    assert not Post.objects.exists()
    assert ModerationAction.objects.count() == 2


def test_the_log_leads_to_what_is_there_by_its_present_name(
    page: Page, post: Post, admin: User, eve: User
) -> None:
    block_page(actor=admin, page=page, until=None, reason="Spam")
    block_user(actor=admin, user=eve)
    delete_post(actor=admin, post=post, reason="Spam")
    Page.objects.filter(pk=page.pk).update(uuid="ann-now")
    log = signed_in(admin).get("/moderation").content.decode()
    assert '<a href="/@ann-now"><bdi>ann</bdi></a>' in log
    assert '<a href="/u/eve"><bdi>eve</bdi></a>' in log
    # A post is gone.
    assert f"<bdi>ann: {post.content}</bdi>" in log
    assert log.count("<bdi>ann") == 2


def test_the_log_has_words_for_every_action() -> None:
    assert {action for action, _ in ACTIONS} == set(Action)
    assert {kind for action, kind in ACTIONS if action == Action.DELETE} == {Kind.POST, Kind.USER}


def test_a_list_has_the_controls_of_ones_own_posts(page: Page, ann: User, eve: User) -> None:
    post = new_post(page)
    at = path_of(post)
    browser = signed_in(ann)
    assert controls(browser, "/")["Edit"] == f"{at}/edit"
    assert controls(browser, "/")["Delete"] == f"{at}/delete"
    assert not {"Edit", "Delete"} & controls(signed_in(eve), "/@ann").keys()
    deleted = browser.post(f"{at}/delete", headers={"Referer": "http://testserver/"})
    assert deleted["Location"] == "http://testserver/"


def test_a_moderator_cannot_lift_a_block_for_good(page: Page, moderator: User, admin: User) -> None:
    block_page(actor=admin, page=page, until=None)
    assert "Lift block" not in controls(signed_in(moderator), "/@ann")
    assert "Lift block" in controls(signed_in(admin), "/@ann")


# For the outside


def test_atom_has_the_newest_posts_of_a_public_page(page: Page, post: Post) -> None:
    post.content = "Bread & \x07<b>butter</b>"
    post.save()
    answer = Client().get("/@ann.atom")
    feed = ElementTree.fromstring(answer.content)  # noqa: S314 # our own
    (entry,) = feed.findall(f"{ATOM}entry")
    assert entry.findtext(f"{ATOM}summary") == "Bread & <b>butter</b>"
    assert entry.find(f"{ATOM}link").get("href") == f"{settings.CORE_URL}{path_of(post)}"  # type: ignore[union-attr]


def test_what_is_private_is_not_for_the_outside(private_page: Page, bob: User) -> None:
    post = new_post(private_page, "Between us")
    browser = signed_in(bob)
    assert browser.get("/@ann-private.atom").status_code == 403
    url = f"{settings.CORE_URL}{path_of(post)}"
    assert browser.get("/oembed", {"url": url}).status_code == 403
    text = browser.get(path_of(post)).content.decode()
    assert 'name="robots" content="noindex"' in text
    assert "oembed" not in text


def test_a_post_can_be_embedded(post: Post) -> None:
    url = f"{settings.CORE_URL}{path_of(post)}"
    found: dict[str, Any] = json.loads(Client().get("/oembed", {"url": url}).content)
    assert (found["type"], found["title"]) == ("link", post.content)
    for strange in ("", "https://example.org/@ann", url + "/edit", f"{settings.CORE_URL}.evil/@a"):
        assert Client().get("/oembed", {"url": strange}).status_code == 404


def test_a_public_page_says_what_other_sites_show(page: Page, ann: User) -> None:
    page.description = 'Bread "and" <buns>'
    page.save()
    text = Client().get("/@ann").content.decode()
    assert f'<link rel="canonical" href="{settings.CORE_URL}/@ann">' in text
    assert 'property="og:description" content="Bread &quot;and&quot; &lt;buns&gt;"' in text
    assert 'type="application/atom+xml"' in text
    assert "noindex" not in text


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/robots.txt", "text/plain"),
        ("/manifest.webmanifest", "application/manifest+json"),
        ("/about", "text/html"),
        ("/privacy", "text/html"),
        ("/terms", "text/html"),
    ],
)
def test_what_belongs_to_a_site_is_there(db: None, path: str, kind: str) -> None:
    answer = Client().get(path)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith(kind)


def test_followers_are_listed_for_those_who_see_the_page(
    page: Page, private_page: Page, bob: User, eve: User
) -> None:
    make_follower(eve, page)
    assert "eve" in Client().get("/@ann/followers").content.decode()
    assert signed_in(eve).get("/@ann-private/followers").status_code == 403
    assert "bob" in signed_in(bob).get("/@ann-private/followers").content.decode()


def test_a_reply_is_asked_for_by_its_name(page: Page, ann: User) -> None:
    post = new_post(page, "Who comes by?")
    browser = signed_in(ann)
    for path, words in [("/", "What is new?"), (f"/@ann/{post.id}", "Your reply")]:
        assert f'placeholder="{words}"' in browser.get(path).content.decode()


def test_a_phone_asks_for_a_chart_of_its_own(
    page: Page, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def chart_of(uuid: str, owner: User, query: dict[str, str], language: str) -> Answer:
        asked.append(query["size"])
        return Answer(b"<svg/>", "image/svg+xml")

    monkeypatch.setattr("innotter.web.views.statistics.chart_of", chart_of)
    for query in ("?size=narrow", "?size=huge", ""):
        assert signed_in(ann).get(f"/@ann/statistics.svg{query}").content == b"<svg/>"
    assert asked == ["narrow", "wide", "wide"]
