"""The mail itself, as it is written to one reader about one page."""

from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.test import Client

from innotter.accounts.models import User
from innotter.common.text import isolate, one_line
from innotter.conftest import new_page, new_post
from innotter.mail.page_mail import write_page_mail
from innotter.mail.selectors import subscription_of
from innotter.media.models import Picture
from innotter.pages.models import Page
from innotter.posts.models import Post


def links(html: str) -> list[str]:
    found: list[str] = []

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.extend(str(value) for name, value in attrs if name in ("href", "src"))

    Links().feed(html)
    return found


def test_text_and_html_say_the_same(bob: User, page: Page) -> None:
    post = new_post(page, "Fog over\nthe harbour. Туман 👋")
    message = write_page_mail(reader=bob, page=page, posts=[post])
    assert message.to == bob.email
    assert message.subject == f"{page.name}: new post"
    assert "Fog over\nthe harbour. Туман 👋" in message.text
    assert "Fog over<br>the harbour. Туман 👋" in message.html
    for body in (message.text, message.html):
        assert page.name in body
        assert f"{settings.CORE_URL}/@{page.uuid}/{post.id}" in body


def test_every_link_opens_a_page_of_the_site(
    client: Client, bob: User, page: Page, post: Post
) -> None:
    message = write_page_mail(reader=bob, page=page, posts=[post])
    opened = [link.removeprefix(settings.CORE_URL) for link in links(message.html)]
    assert opened[:2] == [f"/@{page.uuid}", f"/@{page.uuid}/{post.id}"]
    for path in opened:
        answer = client.get(path)
        assert answer.status_code == 200
        assert '<main id="main"' in answer.text
    assert f"{settings.CORE_URL}{opened[-1]}" in message.text


def test_the_links_name_the_reader_and_the_page(bob: User, page: Page, post: Post) -> None:
    """The one for people and the one for mail programs."""
    message = write_page_mail(reader=bob, page=page, posts=[post])
    for url in (links(message.html)[-2], str(message.unsubscribe_url)):
        subscription = subscription_of(url.rsplit("/", 1)[1])
        assert (subscription.reader, subscription.page) == (bob, page)
    everything = subscription_of(links(message.html)[-1].rsplit("/", 1)[1])
    assert (everything.reader, everything.everything) == (bob, True)


def test_russian_readers_read_russian(bob: User, page: Page, post: Post) -> None:
    bob.language = User.Language.RUSSIAN
    message = write_page_mail(reader=bob, page=page, posts=[post])
    assert message.subject == f"{page.name}: новая запись"
    assert "Отключить письма" in message.text
    assert 'lang="ru"' in message.html
    assert "new post" not in message.text + message.html


def test_the_pages_picture_is_shown_where_there_is_one(bob: User, page: Page, post: Post) -> None:
    assert "<img" not in write_page_mail(reader=bob, page=page, posts=[post]).html
    page.image = Picture.objects.create(name="f" * 64)
    html = write_page_mail(reader=bob, page=page, posts=[post]).html
    assert any(link.endswith(f"{'f' * 64}/small.webp") for link in links(html))


def test_what_people_write_is_shown_and_never_run(bob: User, ann: User) -> None:
    page = new_page(ann, name="<b>&</b>")
    post = new_post(page, '"><script>alert(1)</script>')
    message = write_page_mail(reader=bob, page=page, posts=[post])
    assert "<script" not in message.html
    assert "<b>" not in message.html
    assert '"><script>alert(1)</script>' in message.text


def test_no_name_makes_a_header_of_its_own(bob: User, ann: User) -> None:
    page = new_page(ann, name="Harbour")
    page.name = "Harbour\r\nBcc: everybody@example.com\u2028\x00\x85x"
    message = write_page_mail(reader=bob, page=page, posts=[new_post(page)])
    assert message.subject == "Harbour Bcc: everybody@example.com x: new post"
    assert one_line(" a \t b ") == "a b"


def test_a_long_name_is_cut_in_the_subject(bob: User, ann: User) -> None:
    page = new_page(ann, name="Long " * 20)
    subject = write_page_mail(reader=bob, page=page, posts=[new_post(page)]).subject
    assert subject.endswith("…: new post")
    assert len(subject) < 80


def test_a_name_is_cut_between_characters_as_people_count_them(bob: User, ann: User) -> None:
    family = "👩‍👩‍👧‍👦"
    page = new_page(ann, name="Long " * 11 + family)
    subject = write_page_mail(reader=bob, page=page, posts=[new_post(page)]).subject
    assert subject == f"{('Long ' * 11).rstrip()}…: new post"


@pytest.mark.parametrize("name", ["a\u202eb", "שלום", "abc\u2067d"])
def test_a_name_turns_nothing_around_it(bob: User, ann: User, name: str) -> None:
    page = new_page(ann, name="Harbour")
    page.name = name
    message = write_page_mail(reader=bob, page=page, posts=[new_post(page)])
    assert message.subject == f"{isolate(name)}: new post"
    for body in (message.text, message.html):
        assert body.count(isolate(name)) == body.count(name)


def test_mails_are_from_a_machine_and_of_a_list(bob: User, page: Page, post: Post) -> None:
    headers = write_page_mail(reader=bob, page=page, posts=[post]).headers
    assert headers["Auto-Submitted"] == "auto-generated"
    assert headers["List-Id"] == f"<{page.id}.pages.{urlsplit(settings.CORE_URL).hostname}>"
    assert headers["List-Unsubscribe"].startswith(f"<{settings.CORE_URL}/")
