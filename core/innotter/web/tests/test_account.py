"""The way in and out, and what one may change: as a browser does it."""

import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from innotter.accounts.logins import log_in, log_in_to_site
from innotter.accounts.models import Session, User
from innotter.config.tests.routes import files
from innotter.conftest import (
    CLIENT,
    PASSWORD,
    Api,
    new_page,
    new_post,
    new_user,
    no_trace,
    signed_in,
)
from innotter.moderation.services import block_user, set_role
from innotter.posts.models import Post

NEW = "another quiet harbour 7"
HTML = {"Accept": "text/html"}


def cookie(browser: Client) -> str:
    return browser.cookies[settings.SITE_SESSION_COOKIE].value


def is_in(browser: Client) -> bool:
    return bool(browser.get("/settings").status_code == 200)


def text(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


# In and out


def test_registering_logs_in_and_leads_on(db: None) -> None:
    browser = Client(headers={"Accept-Language": "ru"})
    form = {"username": "newcomer", "email": "new@example.com", "password": PASSWORD}
    answer = browser.post("/register", {**form, "next": "/@ann"})
    assert (answer.status_code, answer["Location"]) == (303, "/@ann")
    assert is_in(browser)
    user = User.objects.get()
    assert (user.username, user.role, user.language) == ("newcomer", "user", "ru")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"username": "ann"}, "This username is taken."),
        ({"username": "support"}, "reserved"),
        ({"username": "a b"}, "Letters"),
        ({"username": ""}, "This field is required."),
        ({"email": "ann@example.com"}, "This e-mail address is taken."),
        ({"email": "no mailbox"}, "valid e-mail address"),
        ({"password": "12345678"}, "too common"),
        ({"username": "x\0y"}, "Null characters"),
    ],
)
def test_a_refused_registration_says_so_beside_the_field_and_leaves_no_trace(
    ann: User, change: dict[str, str], words: str
) -> None:
    form = {"username": "newcomer", "email": "new@example.com", "password": PASSWORD, **change}
    with no_trace():
        answer = Client().post("/register", form)
    [field] = change
    assert answer.status_code == 200
    beside = re.search(rf'id="id_{field}_error">(.*?)</p>', text(answer))
    assert beside, text(answer)
    assert words in beside[1]


@pytest.mark.parametrize("login", ["ann", "ANN", "ann@EXAMPLE.com"])
def test_one_logs_in_by_name_or_mailbox(ann: User, login: str) -> None:
    browser = Client()
    answer = browser.post("/login", {"login": login, "password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (303, "/")
    assert is_in(browser)
    assert browser.get("/login?next=/search")["Location"] == "/search"


def test_a_wrong_password_is_told_and_leaves_no_session(ann: User) -> None:
    browser = Client()
    with no_trace():
        answer = browser.post("/login", {"login": "ann", "password": "wrong"})
    assert "There is no account with this name and password." in text(answer)
    assert not is_in(browser)


def test_every_login_has_a_token_of_its_own_and_ends_the_one_before(ann: User) -> None:
    browser = signed_in(ann)
    before = cookie(browser)
    browser.post("/login", {"login": "ann", "password": PASSWORD})
    assert cookie(browser) != before
    assert Session.objects.filter(ended_at=None).count() == 1
    browser.cookies[settings.SITE_SESSION_COOKIE] = before
    assert not is_in(browser)


def test_the_database_does_not_know_the_token(ann: User) -> None:
    token = cookie(signed_in(ann))
    assert token not in str(list(Session.objects.values()))


def test_logging_out_ends_the_session_and_takes_the_cookie_away(ann: User) -> None:
    browser, token = signed_in(ann), ""
    token = cookie(browser)
    assert browser.get("/logout").status_code == 405
    assert is_in(browser)
    answer = browser.post("/logout")
    assert (answer.status_code, answer["Location"]) == (303, "/")
    assert answer.cookies[settings.SITE_SESSION_COOKIE]["max-age"] == 0
    browser.cookies[settings.SITE_SESSION_COOKIE] = token
    assert not is_in(browser)


OWN = ["/@ann", "/search?q=a%20b", "/@ann/edit#x", "http://testserver/likes"]
FOREIGN = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https://evil.example/@ann",
    "http://testserver@evil.example",
    "http://testserver.evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "http:evil.example",
    "http://[::1",
    "\t//evil.example",
    "",
    "/" + "x" * 5000,
]


@pytest.mark.parametrize("path", ["/login", "/register", "/login/again"])
@pytest.mark.parametrize("wanted", [*OWN, *FOREIGN])
def test_next_stays_on_this_origin(ann: User, path: str, wanted: str) -> None:
    browser = signed_in(ann) if path == "/login/again" else Client()
    form = {"username": "newcomer", "email": "new@example.com", "login": "ann"}
    answer = browser.post(f"{path}?next={quote(wanted)}", {**form, "password": PASSWORD})
    assert answer.status_code == 303
    assert answer["Location"] == (wanted if wanted in OWN else "/")


# Sessions


def test_a_session_that_was_ended_in_the_api_is_over_on_the_site(api: Api, ann: User) -> None:
    browser = signed_in(ann)
    [session] = api(ann).get("/users/me/sessions").json()["results"]
    assert api(ann).delete(f"/users/me/sessions/{session['id']}").status_code == 204
    assert not is_in(browser)


def test_a_session_that_was_ended_on_the_site_is_over_in_the_api(ann: User) -> None:
    pair = log_in(login="ann", password=PASSWORD, client=CLIENT)
    program = Client(headers={"Authorization": f"Bearer {pair.access}"})
    session = Session.objects.get()
    browser = signed_in(ann)
    assert program.get("/api/v1/users/me").status_code == 200
    answer = browser.post("/settings", {"part": "session", "session": str(session.id)})
    assert answer["Location"] == "/settings#sessions"
    assert program.get("/api/v1/users/me").status_code == 401
    assert is_in(browser)


def test_end_all_others_ends_all_others(ann: User) -> None:
    browser, other = signed_in(ann), signed_in(ann)
    log_in(login="ann", password=PASSWORD, client=CLIENT)
    browser.post("/settings", {"part": "other_sessions"})
    assert is_in(browser)
    assert not is_in(other)
    assert Session.objects.filter(ended_at=None).count() == 1


@pytest.mark.parametrize("session", ["another's", "nonsense", ""])
def test_nobody_ends_the_session_of_another(ann: User, eve: User, session: str) -> None:
    browser, other = signed_in(ann), signed_in(eve)
    ids = {"another's": str(Session.objects.get(user=eve).id)}
    form = {"part": "session", "session": ids.get(session, session)}
    with no_trace():
        assert browser.post("/settings", form).status_code == 404
    assert is_in(other)


def test_a_session_that_nobody_used_for_30_days_is_over(ann: User) -> None:
    browser = signed_in(ann)
    Session.objects.update(last_used_at=timezone.now() - timedelta(days=30))
    assert not is_in(browser)


def test_its_use_is_written_once_an_hour_and_the_cookie_sent_anew(ann: User) -> None:
    browser = signed_in(ann)
    for minutes, is_written in ((59, False), (61, True)):
        before = timezone.now() - timedelta(minutes=minutes)
        Session.objects.update(last_used_at=before)
        answer = browser.get("/settings")
        assert (Session.objects.get().last_used_at != before) == is_written
        assert (settings.SITE_SESSION_COOKIE in answer.cookies) == is_written
        Session.objects.update(last_used_at=timezone.now())


def test_another_role_brings_another_token(eve: User, admin: User) -> None:
    browser = signed_in(eve)
    before = cookie(browser)
    set_role(actor=admin, user=eve, role="moderator")
    assert browser.get("/moderation").status_code == 200
    assert cookie(browser) != before
    after = cookie(browser)
    assert browser.get("/moderation").status_code == 200
    assert cookie(browser) == after
    browser.cookies[settings.SITE_SESSION_COOKIE] = before
    assert not is_in(browser)


def test_who_is_blocked_is_told_at_the_next_request_and_has_no_session_left(
    eve: User, admin: User
) -> None:
    browser = signed_in(eve, headers=HTML)
    block_user(actor=admin, user=eve)
    with no_trace():
        answer = browser.post("/pages/new", {"name": "One more"})
    assert answer.status_code == 403
    assert "This account is blocked" in text(answer)
    assert answer.cookies[settings.SITE_SESSION_COOKIE]["max-age"] == 0
    assert not Session.objects.filter(user=eve, ended_at=None).exists()
    again = browser.post("/login", {"login": "eve", "password": PASSWORD})
    assert again.status_code == 403
    assert "This account is blocked" in text(again)


def test_a_block_that_is_lifted_brings_no_session_back(eve: User) -> None:
    browser = signed_in(eve)
    admin = new_user("root-admin", role=User.Role.ADMIN)
    block_user(actor=admin, user=eve)
    User.objects.filter(pk=eve.pk).update(is_blocked=False)
    assert not is_in(browser)


def test_an_admin_is_asked_again_before_an_action_on_the_site(
    admin: User, moderator: User, eve: User
) -> None:
    browser, other = signed_in(admin), signed_in(moderator)
    new_page(eve, uuid="eve")
    Session.objects.update(authenticated_at=timezone.now() - timedelta(hours=8))
    for path in ("/u/eve/block", "/u/eve/unblock", "/u/eve/role", "/@eve/block", "/@eve/unblock"):
        with no_trace():
            answer = browser.post(path, {"role": "moderator"})
        assert answer["Location"] == f"/login/again?next={quote(path, safe='')}"
    assert other.get("/@eve/block").status_code == 200
    browser.post("/login/again", {"password": PASSWORD, "next": "/u/eve/block"})
    assert browser.post("/u/eve/block", {"reason": "Spam"})["Location"] == "/u/eve"


# Settings


def test_a_profile_is_changed_and_the_page_speaks_the_new_language(ann: User) -> None:
    browser = signed_in(ann)
    form = {"title": "Анна", "email_notifications": "daily", "language": "ru"}
    answer = browser.post("/settings", {**form, "part": "profile"})
    assert answer["Location"] == "/settings#profile"
    ann.refresh_from_db()
    assert (ann.title, ann.email_notifications, ann.language) == ("Анна", "daily", "ru")
    assert '<html lang="ru">' in text(browser.get("/settings"))


@pytest.mark.usefixtures("aws")
def test_a_picture_is_taken_and_removed(ann: User) -> None:
    browser = signed_in(ann)
    [picture, *_] = files().values()
    upload = {"part": "picture", "image": _file(picture)}
    assert browser.post("/settings", upload).status_code == 303
    ann.refresh_from_db()
    assert ann.image_id
    browser.post("/settings", {"part": "no_picture"})
    ann.refresh_from_db()
    assert ann.image_id is None


def test_what_is_no_picture_is_told_beside_the_field(ann: User) -> None:
    with_no_picture = {"part": "picture", "image": _file(b"no picture")}
    browser = signed_in(ann)
    with no_trace():
        answer = browser.post("/settings", with_no_picture)
    assert answer.status_code == 200
    assert 'id="picture-image_error"' in text(answer)


def test_another_mailbox_needs_the_password(ann: User) -> None:
    browser = signed_in(ann)
    form = {"part": "email", "email": "ann@elsewhere.example"}
    with no_trace():
        wrong = browser.post("/settings", {**form, "current_password": "wrong"})
    assert 'id="email-current_password_error"' in text(wrong)
    browser.post("/settings", {**form, "current_password": PASSWORD})
    ann.refresh_from_db()
    assert (ann.email, ann.pending_email) == ("ann@example.com", "ann@elsewhere.example")


def test_another_password_ends_the_other_sessions_and_renews_this_one(ann: User) -> None:
    browser, other = signed_in(ann), signed_in(ann)
    before = cookie(browser)
    form = {"part": "password", "current_password": PASSWORD, "password": NEW}
    assert browser.post("/settings", form)["Location"] == "/settings#password"
    assert "All your other sessions are ended." in text(browser.get("/settings"))
    assert cookie(browser) != before
    assert not is_in(other)
    assert log_in_to_site(login="ann", password=NEW, client=CLIENT)


@pytest.mark.parametrize("part", ["", "nonsense", "__class__"])
def test_a_part_that_is_not_there_changes_nothing(ann: User, part: str) -> None:
    browser = signed_in(ann)
    with no_trace():
        assert browser.post("/settings", {"part": part, "title": "x"}).status_code == 200


# What was written


def test_what_a_lost_session_has_written_comes_back_after_the_login(ann: User) -> None:
    new_page(ann, uuid="ann")
    browser = Client()
    words = "Слова & more? #1 " + "\N{GRINNING FACE}" * 150
    with no_trace():
        lost = browser.post("/", {"content": words, "page": "ann"})
    assert lost.status_code == 303
    form = browser.get(lost["Location"])
    wanted = re.search(r'name="next" value="([^"]*)"', text(form))
    assert wanted
    data = {"login": "ann", "password": PASSWORD, "next": wanted[1].replace("&amp;", "&")}
    back = browser.post("/login", data, follow=True)
    assert back.status_code == 200
    assert escape(words) in text(back)


def test_so_do_the_new_words_of_a_post(ann: User) -> None:
    post = new_post(new_page(ann, uuid="ann"), "The old words")
    path = f"/@ann/{post.id}/edit"
    referer = {"Referer": f"http://testserver{path}"}
    lost = Client().post(path, {"content": "The new words"}, headers=referer)
    [back] = parse_qs(urlsplit(lost["Location"]).query)["next"]
    form = text(signed_in(ann).get(back))
    assert "The new words</textarea>" in form


def key_of(page: Any) -> str:
    """Of its composer."""
    found = re.search(r'name="key" value="([^"]*)"', text(page))
    assert found
    return found[1]


def test_a_form_that_is_sent_twice_makes_one_post(ann: User) -> None:
    new_page(ann, uuid="ann")
    browser = signed_in(ann)
    key = key_of(browser.get("/"))
    form = {"content": "Once", "page": "ann", "key": key}
    assert [browser.post("/", form).status_code for _ in range(2)] == [303, 303]
    assert Post.objects.count() == 1
    other = browser.post("/", {**form, "content": "Other words"})
    assert "You have sent this form before, with other words." in text(other)
    renewed = key_of(other)
    assert renewed != key
    assert browser.post("/", {**form, "content": "Other words", "key": renewed}).status_code == 303
    assert Post.objects.count() == 2


def test_a_part_of_a_page_leads_the_whole_page_to_the_login(post: Post) -> None:
    answer = Client(headers={"HX-Request": "true"}).post(f"/@ann/{post.id}/like")
    assert answer.status_code == 204
    assert answer["HX-Redirect"] == f"/login?next=%2F%40ann%2F{post.id}%3Fact%3Dlike"


def _file(content: bytes) -> Any:
    return SimpleUploadedFile("picture.png", content)
