"""The admin panel, as an admin's browser uses it."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from django.conf import settings
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from innotter.accounts.account_mail import owe_mail
from innotter.accounts.models import AccountMail, Session, User
from innotter.common import admin as panel
from innotter.conftest import (
    PASSWORD,
    Events,
    make_follower,
    new_page,
    new_post,
    new_user,
    no_trace,
    refusal,
    signed_in,
)
from innotter.events.models import DiscardedLetter
from innotter.mail.models import Suppression
from innotter.mail.queueing import queue_deliveries
from innotter.moderation.models import ModerationAction
from innotter.moderation.services import block_page
from innotter.pages.models import Page
from innotter.posts.models import Post

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

LISTS = [
    "/admin/accounts/accountmail/",
    "/admin/accounts/user/",
    "/admin/events/discardedletter/",
    "/admin/events/outboxevent/",
    "/admin/mail/delivery/",
    "/admin/mail/suppression/",
    "/admin/moderation/moderationaction/",
    "/admin/pages/page/",
    "/admin/pages/tag/",
    "/admin/posts/post/",
]
TOMORROW = (timezone.now() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")


def url_of(row: User | Page | Post, view: str = "changelist", *args: Any) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{view}", args=args)


def act(browser: Client, action: str, *rows: Any, **words: str) -> list[str]:
    """Chooses the action for the rows in their list and confirms it; what the panel says then."""
    chosen = {"action": action, ACTION_CHECKBOX_NAME: [row.pk for row in rows]}
    asked = browser.post(url_of(rows[0]), {**chosen, "index": 0})
    assert asked.status_code == 200
    assert all(str(row.pk) in asked.content.decode() for row in rows)
    done = browser.post(url_of(rows[0]), {**chosen, "confirmed": "yes", **words}, follow=True)
    assert done.redirect_chain == [(url_of(rows[0]), 302)]
    return messages(done)


def messages(answer: "Answer") -> list[str]:
    return [str(message) for message in answer.context["messages"]]


# Who gets in


@pytest.mark.parametrize("path", ["/admin/", *LISTS])
def test_nobody_but_an_admin_gets_in(
    eve: User, ann: User, moderator: User, admin: User, path: str
) -> None:
    for outsider in (None, eve, moderator):
        answer = (signed_in(outsider) if outsider else Client()).get(path)
        assert (answer.status_code, answer["Location"]) == (302, f"/admin/login/?next={path}")
    blocked = signed_in(ann)
    User.objects.filter(pk=ann.pk).update(role=User.Role.ADMIN, is_blocked=True)
    assert refusal(blocked.get(path)) == (403, "user_blocked")
    assert signed_in(admin).get(path).status_code == 200


def test_it_is_in_one_language(admin: User) -> None:
    """Django's words for it are translated, and those of our rows are not."""
    User.objects.filter(pk=admin.pk).update(language="ru")
    shown = signed_in(admin).get("/admin/accounts/user/").content.decode()
    assert '<html lang="en"' in shown
    assert not re.search("[а-яё]", shown, re.IGNORECASE)


def test_its_login_is_that_of_the_site(eve: User, admin: User) -> None:
    login = "/admin/login/?next=/admin/accounts/user/"
    assert Client().get(login)["Location"] == "/login?next=%2Fadmin%2Faccounts%2Fuser%2F"
    assert signed_in(admin).get(login)["Location"] == "/admin/accounts/user/"
    assert refusal(signed_in(eve).get(login)) == (403, "forbidden")
    assert signed_in(admin).get("/admin/login/?next=//evil.example")["Location"] == "/"


def test_it_asks_for_the_password_again_after_eight_hours(browser: Client, admin: User) -> None:
    Session.objects.update(authenticated_at=timezone.now() - timedelta(hours=8))
    users = "/admin/accounts/user/"
    asked = browser.get(users, follow=True)
    assert asked.redirect_chain[-1] == (f"/login/again?next={quote(users, safe='')}", 303)
    wrong = browser.post("/login/again", {"password": "not mine", "next": users})
    assert "Wrong password." in wrong.content.decode()
    assert browser.get(users).status_code == 302
    before = browser.cookies[settings.SITE_SESSION_COOKIE].value
    right = browser.post("/login/again", {"password": PASSWORD, "next": users})
    assert (right.status_code, right["Location"]) == (303, users)
    assert browser.cookies[settings.SITE_SESSION_COOKIE].value != before
    assert browser.get(users).status_code == 200


def test_its_logout_ends_the_session_of_the_site(browser: Client) -> None:
    assert browser.get("/settings").status_code == 200
    assert browser.post("/admin/logout/")["Location"] == "/"
    assert Session.objects.get().ended_at is not None
    assert browser.get("/settings").status_code == 303


@pytest.mark.parametrize(
    ("username", "gets_in"),
    [("admin", True), ("ADMIN", True), ("moderator", False), ("eve", False), ("blocked", False)],
)
def test_one_logs_in_by_username(
    eve: User, moderator: User, admin: User, *, username: str, gets_in: bool
) -> None:
    new_user("blocked", role=User.Role.ADMIN, is_blocked=True)
    browser = Client()
    browser.post("/login", {"login": username, "password": PASSWORD})
    assert browser.get("/admin/").status_code == (200 if gets_in else 302)


def test_who_is_blocked_or_demoted_is_out_at_once(browser: Client, admin: User) -> None:
    for change, status in ({"role": User.Role.MODERATOR}, 302), ({"is_blocked": True}, 403):
        assert browser.get("/admin/").status_code == 200
        User.objects.filter(pk=admin.pk).update(**change)
        assert browser.get("/admin/").status_code == status
        User.objects.filter(pk=admin.pk).update(is_blocked=False, role=User.Role.ADMIN)


# What it shows


def test_it_shows_these_and_nothing_else(browser: Client) -> None:
    found = re.findall(r'href="(/admin/\w+/\w+/)"', browser.get("/admin/").content.decode())
    assert sorted(set(found)) == LISTS


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("query", ["", "?q=ann", "?q=a%00b", "?q=%27%22%25", "?p=99999", "?x=y"])
def test_a_list_can_be_searched_for_anything(
    browser: Client, post: Post, path: str, query: str
) -> None:
    assert browser.get(path + query, follow=True).status_code == 200


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=ann", {"ann", "ann-private", "until", "over", "good"}),
        ("q=until", {"until"}),
        ("q=eve", {"of-blocked"}),
        ("block=blocked", {"until", "good", "of-blocked"}),
        ("block=free", {"ann", "ann-private", "over"}),
        ("block=for+good", {"good"}),
        ("is_private__exact=1", {"ann-private"}),
    ],
)
def test_pages_are_found_by_their_names_and_blocks(
    browser: Client, ann: User, page: Page, private_page: Page, query: str, found: set[str]
) -> None:
    now, day = timezone.now(), timedelta(days=1)
    new_page(new_user("eve"), uuid="of-blocked")
    User.objects.filter(username="eve").update(is_blocked=True)
    blocks: dict[str, dict[str, Any]] = {
        "until": {"unblock_date": now + day},
        "over": {"unblock_date": now - day},
        "good": {"blocked_for_good": True},
    }
    for uuid, block in blocks.items():
        Page.objects.filter(pk=new_page(ann, uuid=uuid).pk).update(**block)
    rows = browser.get(f"/admin/pages/page/?{query}").context["cl"].result_list
    assert {row.uuid for row in rows} == found


@pytest.mark.parametrize(
    ("query", "found"),
    [("EVE", {"eve"}), ("moder", {"moderator"}), ("Ann@Example.com", {"ann"}), ("@example", set())],
)
def test_users_are_found_by_parts_of_their_names_and_by_their_whole_address(
    *, browser: Client, ann: User, eve: User, moderator: User, query: str, found: set[str]
) -> None:
    rows = browser.get("/admin/accounts/user/", {"q": query}).context["cl"].result_list
    assert {row.username for row in rows} == found


def test_posts_are_found_by_new_words_their_page_and_their_id(
    browser: Client, ann: User, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(panel, "SEARCHED_ROWS", 2)
    old, *_ = posts = [new_post(page, f"Fog number {number}") for number in range(3)]
    new_post(new_page(ann, uuid="other"), "Rain")

    def found(query: str) -> set[str]:
        rows = browser.get("/admin/posts/post/", {"q": query}).context["cl"].result_list
        return {row.content for row in rows}

    assert found("FOG NUMBER") == {"Fog number 1", "Fog number 2"}
    assert found("ANN") == {post.content for post in posts}
    assert found(str(old.id)) == {old.content}
    assert found("other") == {"Rain"}


@pytest.mark.parametrize("table", ["accounts_user", "pages_page", "pages_tag"])
def test_a_search_reads_no_whole_table(browser: Client, page: Page, table: str) -> None:
    path = "/admin/" + table.replace("_", "/") + "/"
    with CaptureQueriesContext(connection) as queries:
        browser.get(path, {"q": "lighthouse"})
    (search,) = [q["sql"] for q in queries if "fold_text" in q["sql"] and "COUNT(" in q["sql"]]
    with connection.cursor() as cursor:
        # These tables are as good as empty, and reading them whole is the quickest.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_indexscan = off")
        cursor.execute("EXPLAIN " + search)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Seq Scan" not in plan
    assert f"search_{table}" in plan


def test_passwords_are_changed_elsewhere(browser: Client) -> None:
    assert "password" not in browser.get("/admin/").content.decode().lower()
    assert browser.get("/admin/password_change/").status_code == 404


def grow(start: int, stop: int) -> None:
    """More of everything that a list shows, by `start` to `stop`."""
    for number in range(start, stop):
        owner = new_user(f"user-{number}", role=User.Role.MODERATOR)
        page = new_page(owner, tags=[f"tag-{number}"])
        make_follower(new_user(f"reader-{number}"), page)
        post = new_post(page)
        new_post(page, reply_to=post)
        queue_deliveries(post.id)
        owe_mail(kind=AccountMail.Kind.PASSWORD_RESET, user=owner)
        Suppression.objects.create(
            address=f"{number}@example.com",
            reason=Suppression.Reason.BOUNCE,
            detail="No such mailbox.",
            happened_at=timezone.now(),
        )
        DiscardedLetter.objects.create(discarded_by=owner.pk)
        block_page(actor=owner, page=page, until=timezone.now() + timedelta(days=1))


@pytest.mark.parametrize("path", LISTS)
def test_a_list_costs_the_same_number_of_queries_at_any_size(browser: Client, path: str) -> None:
    counts = []
    for start, stop in ((0, 2), (2, 12)):
        grow(start, stop)
        with CaptureQueriesContext(connection) as queries:
            answer = browser.get(path)
        assert len(answer.context["cl"].result_list) >= stop
        counts.append(len(queries))
        # Each count stops somewhere.
        asked = [query["sql"] for query in queries if "COUNT(" in query["sql"]]
        assert asked
        assert all("LIMIT" in sql for sql in asked)
    # Session, user, count, rows; one more where a list shows nothing of others.
    assert counts[0] == counts[1] <= 5


def test_no_form_writes(browser: Client, page: Page, post: Post, eve: User) -> None:
    for row in (eve, page, post):
        shown = browser.get(url_of(row, "change", row.pk))
        assert shown.status_code == 200
        assert 'name="_save"' not in shown.content.decode()
        with no_trace():
            written = {"role": "admin", "is_blocked": "on", "content": "x", "name": "x"}
            assert browser.post(url_of(row, "change", row.pk), written).status_code == 403
            assert browser.post(url_of(row, "delete", row.pk), {"post": "yes"}).status_code == 403
            assert browser.post(url_of(row, "add"), written).status_code == 403
            deletion = {"action": "delete_selected", ACTION_CHECKBOX_NAME: [row.pk], "index": 0}
            browser.post(url_of(row), deletion)


def test_a_users_password_is_not_shown(browser: Client, eve: User) -> None:
    shown = browser.get(url_of(eve, "change", eve.pk)).content.decode()
    assert str(eve.email) in shown
    assert eve.password not in shown


def test_a_post_whose_parent_is_gone_is_shown(browser: Client, page: Page, post: Post) -> None:
    reply = new_post(page, reply_to=post)
    Post.objects.filter(pk=post.pk).delete()
    assert browser.get(url_of(reply, "change", reply.pk)).status_code == 200


def test_the_log_of_one_target(browser: Client, ann: User, page: Page) -> None:
    act(browser, "block_for_good", page)
    act(browser, "block_user", ann)
    history = browser.get(url_of(page, "history", page.pk), follow=True)
    assert [row.target_id for row in history.context["cl"].result_list] == [page.id]


# What it does


type Prepare = dict[str, Any]
ACTIONS: dict[str, tuple[str, Prepare, dict[str, str], Callable[[Any], bool], str]] = {
    "block_until": ("page", {}, {"until": TOMORROW}, lambda page: page.unblock_date, "block"),
    "block_for_good": ("page", {}, {}, lambda page: page.blocked_for_good, "block"),
    "lift": (
        *("page", {"blocked_for_good": True}, {}),
        *(lambda page: not page.is_blocked, "unblock"),
    ),
    "block_user": ("eve", {}, {}, lambda user: user.is_blocked, "block"),
    "unblock_user": (
        *("eve", {"is_blocked": True}, {}),
        *(lambda user: not user.is_blocked, "unblock"),
    ),
    "make_user": ("moderator", {}, {}, lambda user: user.role == "user", "make_user"),
    "make_moderator": ("eve", {}, {}, lambda user: user.role == "moderator", "make_moderator"),
    "make_admin": ("eve", {}, {}, lambda user: user.role == "admin", "make_admin"),
}


@pytest.mark.parametrize("action", ACTIONS)
def test_each_action_asks_for_a_reason_and_is_in_the_log(
    request: pytest.FixtureRequest, browser: Client, admin: User, action: str
) -> None:
    fixture, before, words, happened, logged = ACTIONS[action]
    row = request.getfixturevalue(fixture)
    type(row).objects.filter(pk=row.pk).update(**before)
    [message] = act(browser, action, row, reason="because", **words)
    assert message.endswith(f": 1 {row._meta.verbose_name}.")
    row.refresh_from_db()
    assert happened(row)
    kept = ModerationAction.objects.get()
    assert (kept.actor, kept.action, kept.target_id) == (admin, logged, row.pk)
    assert kept.reason == "because"


def test_posts_are_deleted_with_a_reason(
    browser: Client, page: Page, post: Post, events: Events
) -> None:
    second = new_post(page, "Another")
    kept = new_post(page, "A third")
    assert act(browser, "delete_posts", post, second, reason="spam") == ["Delete posts: 2 posts."]
    assert list(Post.objects.all()) == [kept]
    assert set(ModerationAction.objects.values_list("target", "reason")) == {
        ("ann: Hello, world", "spam"),
        ("ann: Another", "spam"),
    }


def test_asking_changes_nothing(browser: Client, page: Page) -> None:
    chosen = {"action": "block_for_good", ACTION_CHECKBOX_NAME: [page.pk], "index": 0}
    with no_trace():
        assert "For the moderation log" in browser.post(url_of(page), chosen).content.decode()


@pytest.mark.parametrize("until", ["", "soon", "2020-13-01T00:00"])
def test_a_wrong_end_is_asked_for_again(browser: Client, page: Page, until: str) -> None:
    chosen = {"action": "block_until", ACTION_CHECKBOX_NAME: [page.pk]}
    with no_trace():
        answer = browser.post(url_of(page), {**chosen, "confirmed": "yes", "until": until})
    assert answer.context["form"].errors.keys() == {"until"}


def test_what_a_service_refuses_is_said_and_the_rest_is_done(
    browser: Client, admin: User, eve: User, page: Page
) -> None:
    said = act(browser, "block_user", admin, eve)
    assert said == ["admin: You cannot do this to yourself.", "Block user: 1 user."]
    eve.refresh_from_db()
    assert eve.is_blocked
    with no_trace():
        [said_of_page] = act(browser, "block_until", page, until="2020-01-01T00:00")
    assert said_of_page.endswith("Must be in the future.")


def test_one_row_is_acted_on_from_its_own_page(browser: Client, page: Page) -> None:
    own = url_of(page, "change", page.pk)
    choice = {"CHANGE_FORM-action": "block_for_good", ACTION_CHECKBOX_NAME: page.pk}
    asked = browser.post(own, choice)
    assert asked.context["list_url"] == url_of(page)
    assert act(browser, "block_for_good", page) == ["Block for good: 1 page."]


def test_not_too_many_at_once(browser: Client, page: Page) -> None:
    Page.objects.bulk_create(Page(owner=page.owner, name="x") for _ in range(100))
    chosen = {"action": "block_for_good", "select_across": 1, "index": 0}
    with no_trace():
        answer = browser.post(url_of(page), {**chosen, ACTION_CHECKBOX_NAME: page.pk}, follow=True)
    assert messages(answer) == ["At most 100 at a time."]
