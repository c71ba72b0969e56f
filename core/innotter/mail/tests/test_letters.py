"""The mail itself, as it is written to one reader about one page."""

from html.parser import HTMLParser

from innotter.accounts.models import User
from innotter.conftest import new_page, new_post
from innotter.mail.letters import one_line, write_letter
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
    letter = write_letter(reader=bob, page=page, posts=[post])
    assert letter.to == bob.email
    assert letter.subject == f"{page.name}: new post"
    assert "Fog over\nthe harbour. Туман 👋" in letter.text
    assert "Fog over<br>the harbour. Туман 👋" in letter.html
    for body in (letter.text, letter.html):
        assert page.name in body
        assert f"/posts/{post.id}" in body
        assert letter.unsubscribe_url in body


def test_the_link_names_the_reader_and_the_page(bob: User, page: Page, post: Post) -> None:
    letter = write_letter(reader=bob, page=page, posts=[post])
    subscription = subscription_of(letter.unsubscribe_url.rsplit("/", 1)[1])
    assert (subscription.reader, subscription.page) == (bob, page)


def test_russian_readers_read_russian(bob: User, page: Page, post: Post) -> None:
    bob.language = User.Language.RUSSIAN
    letter = write_letter(reader=bob, page=page, posts=[post])
    assert letter.subject == f"{page.name}: новая запись"
    assert "Остановить письма" in letter.text
    assert 'lang="ru"' in letter.html
    assert "new post" not in letter.text + letter.html


def test_the_pages_picture_is_shown_where_there_is_one(bob: User, page: Page, post: Post) -> None:
    assert "<img" not in write_letter(reader=bob, page=page, posts=[post]).html
    page.image = Picture.objects.create(name="f" * 64)
    html = write_letter(reader=bob, page=page, posts=[post]).html
    assert any(link.endswith(f"{'f' * 64}/small.webp") for link in links(html))


def test_what_people_write_is_shown_and_never_run(bob: User, ann: User) -> None:
    page = new_page(ann, name="<b>&</b>")
    post = new_post(page, '"><script>alert(1)</script>')
    letter = write_letter(reader=bob, page=page, posts=[post])
    assert "<script" not in letter.html
    assert "<b>" not in letter.html
    assert '"><script>alert(1)</script>' in letter.text


def test_no_name_makes_a_header_of_its_own(bob: User, ann: User) -> None:
    page = new_page(ann, name="Harbour")
    page.name = "Harbour\r\nBcc: everybody@example.com\u2028\x00\x85x"
    letter = write_letter(reader=bob, page=page, posts=[new_post(page)])
    assert letter.subject == "Harbour Bcc: everybody@example.com x: new post"
    assert one_line(" a \t b ") == "a b"


def test_a_long_name_is_cut_in_the_subject(bob: User, ann: User) -> None:
    page = new_page(ann, name="Long " * 20)
    subject = write_letter(reader=bob, page=page, posts=[new_post(page)]).subject
    assert subject.endswith("…: new post")
    assert len(subject) < 80
