"""The link in a mail opens a page of the site, which stops the mails about that page."""

import pytest
from django.test import Client

from innotter.accounts.models import User
from innotter.conftest import make_follower, new_page, new_user, no_trace
from innotter.mail.tokens import unsubscribe_token
from innotter.pages.models import Follow, Page


@pytest.fixture
def page(db: None) -> Page:
    return new_page(new_user("ann"), name="<b>Harbour</b>")


@pytest.fixture
def reader(page: Page) -> User:
    bob = new_user("bob")
    make_follower(bob, page)
    return bob


@pytest.fixture
def link(reader: User, page: Page) -> str:
    return f"/unsubscribe/{unsubscribe_token(reader.id, page.id)}"


def is_muted(reader: User, page: Page) -> bool:
    return Follow.objects.get(user=reader, page=page).muted_at is not None


def test_opening_it_changes_nothing(client: Client, link: str) -> None:
    with no_trace():
        answer = client.get(link)
    assert "Stop the mails?" in answer.text
    assert "<bdi>&lt;b&gt;Harbour&lt;/b&gt;</bdi>" in answer.text
    assert '<meta name="robots" content="noindex">' in answer.text


def test_its_button_stops_the_mails_and_another_brings_them_back(
    client: Client, link: str, reader: User, page: Page
) -> None:
    assert "You still follow it." in client.post(link, follow=True).text
    assert is_muted(reader, page)
    client.post(link)
    assert is_muted(reader, page)
    assert "Stop the mails?" in client.post(link, {"resume": "true"}, follow=True).text
    assert not is_muted(reader, page)


def test_another_site_cant_press_it(link: str) -> None:
    with no_trace():
        assert Client(enforce_csrf_checks=True).post(link).status_code == 403


def test_it_speaks_the_readers_language(client: Client, link: str, reader: User) -> None:
    reader.language = User.Language.RUSSIAN
    reader.save()
    shown = client.get(link, headers={"Accept-Language": "en"}).text
    assert 'lang="ru"' in shown
    assert "Отключить письма" in shown


@pytest.mark.parametrize("gone", ["reader", "page"])
def test_it_is_good_when_page_or_reader_is_gone(
    client: Client, link: str, reader: User, page: Page, gone: str
) -> None:
    (reader if gone == "reader" else page).delete()
    with no_trace():
        assert "You get no e-mail about this page." in client.get(link).text
        assert client.post(link).status_code == 303


def test_what_we_have_not_signed_is_404(client: Client, link: str) -> None:
    for token in ("nothing", link.rsplit("/", 1)[1][:-1], "a.b", "%D1%84.x", "%00"):
        for call in (client.get, client.post):
            with no_trace():
                assert call(f"/unsubscribe/{token}").status_code == 404
