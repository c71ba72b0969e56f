"""One click in a mail stops the mails about that page, for that reader, and nothing else."""

from typing import Any

import pytest
from django.core.signing import Signer
from django.test import Client

from innotter.accounts.models import User
from innotter.conftest import Api, make_follower, new_page, no_trace, refusal
from innotter.mail.selectors import subscription_of
from innotter.mail.subscriptions import resume_mails, stop_mails
from innotter.mail.tokens import unsubscribe_token
from innotter.pages.follows import follow, unfollow
from innotter.pages.models import Follow, Page


@pytest.fixture
def link(bob: User, page: Page) -> str:
    return f"/api/v1/unsubscribe/{unsubscribe_token(bob.id, page.id)}"


def muted(reader: User, page: Page) -> bool:
    return Follow.objects.get(user=reader, page=page).muted_at is not None


def test_looking_at_the_link_changes_nothing(client: Client, link: str, page: Page) -> None:
    """Virus scanners and mail programs open each link."""
    with no_trace():
        answer = client.get(link, headers={"Accept": "text/html"})
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/html; charset=utf-8"
    assert page.name in answer.text
    assert '<form method="post"' in answer.text
    assert answer["Cache-Control"] == "no-store"
    assert answer["Referrer-Policy"] == "no-referrer"


BODIES: list[dict[str, Any]] = [
    {"data": {"List-Unsubscribe": "One-Click"}},
    {
        "data": "List-Unsubscribe=One-Click",
        "content_type": "application/x-www-form-urlencoded",
    },
    {"data": {"List-Unsubscribe": "One-Click"}, "content_type": "application/json"},
    {"data": "no JSON at all", "content_type": "application/json"},
    {"data": "", "content_type": "text/plain"},
    {},
]


@pytest.mark.parametrize("body", BODIES)
def test_one_click_stops_the_mails_whatever_the_body(
    link: str, bob: User, page: Page, private_page: Page, body: dict[str, Any]
) -> None:
    """A client without cookies that checks for forged forms, as Django's would in a browser."""
    client = Client(enforce_csrf_checks=True)
    assert client.post(link, **body).status_code == 200
    assert muted(bob, page)
    assert not muted(bob, private_page)
    with no_trace():
        assert client.post(link, **body).status_code == 200


def test_a_mail_program_need_not_understand_the_answer(link: str, bob: User, page: Page) -> None:
    assert Client().post(link, headers={"Accept": "image/png"}).status_code == 200
    assert muted(bob, page)


def test_others_get_their_mails_as_before(
    client: Client, link: str, bob: User, eve: User, page: Page
) -> None:
    make_follower(eve, page)
    client.post(link)
    assert muted(bob, page)
    assert not muted(eve, page)


def test_the_page_is_still_followed_and_mails_can_be_resumed(
    client: Client, api: Api, link: str, bob: User, page: Page
) -> None:
    client.post(link)
    assert api(bob).get(f"/pages/{page.uuid}").json()["viewer"]["follow"] == "following"
    shown = client.get(link, headers={"Accept": "application/json"})
    known = {"uuid": page.uuid, "name": page.name}
    assert shown.json() == {"page": known, "everything": False, "active": False}
    assert 'action="?resume=true"' in client.get(link).text
    assert client.post(f"{link}?resume=true").status_code == 200
    assert not muted(bob, page)


def test_who_follows_anew_begins_anew(bob: User, page: Page) -> None:
    stop_mails(reader=bob, page=page)
    unfollow(actor=bob, page=page)
    follow(actor=bob, page=page)
    assert not muted(bob, page)


def test_a_link_in_an_old_mail_is_good_after_leaving(
    client: Client, link: str, bob: User, page: Page
) -> None:
    unfollow(actor=bob, page=page)
    assert client.post(link).status_code == 200
    assert "do not follow" in client.get(link).text


def test_the_page_speaks_the_readers_language(client: Client, link: str, bob: User) -> None:
    bob.language = User.Language.RUSSIAN
    bob.save()
    assert 'lang="ru"' in client.get(link).text
    assert "Отключить письма" in client.get(link).text


def test_a_name_is_shown_and_never_run(client: Client, bob: User, ann: User) -> None:
    page = new_page(ann, name="<script>alert(1)</script>")
    make_follower(bob, page)
    shown = client.get(f"/api/v1/unsubscribe/{unsubscribe_token(bob.id, page.id)}").text
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


@pytest.mark.parametrize("accept", ["text/html", "application/json", "*/*"])
def test_a_token_that_is_not_ours_is_404(client: Client, link: str, accept: str) -> None:
    token = link.rsplit("/", 1)[1]
    elsewhere = Signer(salt="another", sep=".").sign(token.rsplit(".", 1)[0])
    for bad in ("nothing", token[:-1], f"B{token[1:]}", elsewhere, "a.b", "%D1%84.x"):
        for call in (client.get, client.post):
            with no_trace():
                answer = call(f"/api/v1/unsubscribe/{bad}", headers={"Accept": accept})
            assert refusal(answer) == (404, "not_found")


@pytest.mark.parametrize("gone", ["reader", "page"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_where_page_or_reader_is_gone_no_mail_comes(
    client: Client, link: str, bob: User, page: Page, gone: str, method: str
) -> None:
    """The link in an old mail says so, to people and to programs."""
    name = page.name
    (bob if gone == "reader" else page).delete()
    for query in ("", "?resume=true"):
        with no_trace():
            shown = getattr(client, method)(
                link + query, headers={"Accept": "text/html", "Accept-Language": "ru"}
            )
        assert shown.status_code == 200
        assert shown["Content-Type"] == "text/html; charset=utf-8"
        assert shown["Cache-Control"] == "no-store"
        assert ("Письма" if gone == "reader" else "You get no e-mail about this page") in shown.text
        assert "<form" not in shown.text
        assert (name in shown.text) == (gone == "reader")
        answer = getattr(client, method)(link + query, headers={"Accept": "application/json"})
        assert answer.status_code == 200
        known = {"uuid": page.uuid, "name": name} if gone == "reader" else None
        assert answer.json() == {"page": known, "everything": False, "active": False}


def test_services_are_idempotent(bob: User, page: Page) -> None:
    token = unsubscribe_token(bob.id, page.id)
    stop_mails(reader=bob, page=page)
    since = Follow.objects.get(user=bob, page=page).muted_at
    stop_mails(reader=bob, page=page)
    assert Follow.objects.get(user=bob, page=page).muted_at == since
    assert not subscription_of(token).active
    resume_mails(reader=bob, page=page)
    assert subscription_of(token).active


# From everything


@pytest.mark.parametrize("base", ["/api/v1/unsubscribe", "/unsubscribe"])
def test_one_click_stops_all_mails(client: Client, bob: User, page: Page, base: str) -> None:
    link = f"{base}/{unsubscribe_token(bob.id, None)}"
    with no_trace():
        assert "Stop all mails" in client.get(link).text
    assert client.post(link).status_code in {200, 303}
    bob.refresh_from_db()
    assert bob.email_notifications == User.EmailNotifications.OFF
    assert not muted(bob, page)
    with no_trace():
        assert "You get no e-mail about any page." in client.get(link).text
        assert client.post(f"{link}?resume=true").status_code in {200, 303}
