"""Input from hell through every address of the site: a page with the right status, never a 500,
and nothing stored. The addresses are those of the table in test_routes.py, which names them all."""

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from innotter.accounts.models import User
from innotter.config.tests.routes import admission_names
from innotter.conftest import PASSWORD, all_rows, new_page, new_post, rolled_back, signed_in
from innotter.web.tests.test_routes import FORMS, ROLES, Cast, Row, cast, rows

__all__ = ["cast"]  # a fixture

# As they stand in a query or a form, encoded.
BAD_VALUES = {
    "NUL": "a%00b",
    "half a pair": "%ED%A0%80",
    "no UTF-8": "%FF",
    "too long": "x" * 20_000,
    "a huge number": "9" * 5000,
    "below zero": "-1",
    "a digit of another script": "%D9%A3",
    "a cursor of another list": "bmFubg",
    "invisible": "%E2%80%8B%E2%81%A0",
    "another origin": "%2F%2Fevil.example",
    "nothing": "",
}
# Refused by whatever has a shape of its own, and in words as well.
NEVER_STORED = {"NUL", "no UTF-8", "half a pair"}
WRONG_NAMES = ["%00", "a%00b", "%ED%A0%80", "%FF", "a%0A", "%20", "x" * 300, "%D1%81", "%E2%84%AA"]
# What an address asks, besides all of it at once.
QUESTIONS = {
    "/": ["cursor", "text", "as"],
    "/login": ["next"],
    "/login/second-factor": ["next", "with"],
    "/search": ["q", "tag", "type", "cursor"],
    "/search/suggestions": ["q"],
    "/feed/new": ["after"],
    "/likes": ["cursor"],
    "/pages": ["cursor"],
    "/moderation": ["show", "cursor"],
    "/oembed": ["url"],
    "/@{uuid}": ["cursor"],
    "/@{uuid}/{id}": ["text"],
    "/@{uuid}/followers": ["cursor"],
    "/@{uuid}/requests": ["cursor"],
    "/@{uuid}/statistics": ["days"],
    "/@{uuid}/statistics.svg": ["days", "metric"],
    "/u/{username}": ["cursor"],
}
EVERYTHING = sorted({word for words in QUESTIONS.values() for word in words})
REASONED = dict.fromkeys(("reason", "until"), "Spam")
# What may be sent besides what the table's forms hold.
# Not a name to fill in.
EMPTY_JSON = "{}"
MORE: dict[str, dict[str, str]] = {
    "POST /": {"key": "k"},
    "POST /login": {"next": "/likes"},
    "POST /login/again": {"code": "123456", "credential": EMPTY_JSON, "next": "/likes"},
    "POST /settings/security": {
        "code": "123456",
        "name": "n",
        "credential": EMPTY_JSON,
        "passkey": "x",
    },
    "POST /register": {"next": "/likes"},
    "POST /settings": {"email": "a@example.com", "current_password": PASSWORD, "session": "x"},
    "POST /@{uuid}/{id}": {"key": "k"},
    "POST /@{uuid}/edit": {"description": "d", "tags": "a, b", "is_private": "on"},
    "POST /@{uuid}/requests": {"username": "requester"},
    "POST /@{uuid}/block": REASONED,
    "POST /@{uuid}/unblock": REASONED,
    "POST /@{uuid}/{id}/delete": REASONED,
    "POST /u/{username}/block": REASONED,
    "POST /u/{username}/unblock": REASONED,
    "POST /u/{username}/role": REASONED,
    "POST /unsubscribe/{token}": {"resume": "true"},
}
# They ask nothing of their body: each makes a challenge, whatever comes.
BODYLESS = {"POST /login/passkey/options", "POST /settings/security/passkey/options"}
BROWSER = {"Accept": "text/html,*/*;q=0.8"}
FORM = "application/x-www-form-urlencoded"


def one_row_each(method: str) -> Iterator[tuple[Row, str]]:
    """Each address once, with a role to which it is open."""
    known = set()
    for row in rows():
        roles = dict(zip(ROLES, row.statuses, strict=True))
        good = [role for role in ("owner", "admin", "anonymous") if roles[role] in (200, 204, 303)]
        if row.call.startswith(method) and row.call not in known and good:
            known.add(row.call)
            yield row, good[0]


def values_of(cast: Cast, row: Row) -> dict[str, str]:
    post = cast.posts.get(row.case, cast.posts["public"])
    names = {"uuid": post.page.uuid, "id": str(post.id)}
    path = row.call.split()[1]
    token = cast.tokens.get(path, "")
    return {**names, "username": "target", "token": token, **admission_names(path)}


def complaints(answer: Any, what: str, *, traced: bool) -> Iterator[str]:
    status = answer.status_code
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        yield f"{what}: {status}"
    elif status >= HTTPStatus.BAD_REQUEST and not answer["Content-Type"].startswith("text/html"):
        yield f"{what}: {status}, and no page"
    elif status != HTTPStatus.SEE_OTHER and traced:
        yield f"{what}: {status}, and left a trace"


def test_a_bad_question_is_answered_with_a_page(cast: Cast) -> None:
    before, wrong = all_rows(), list[str]()
    for row, role in one_row_each("GET"):
        path = row.call.split()[1]
        at = path.format(**values_of(cast, row))
        for words in [EVERYTHING, *([word] for word in QUESTIONS.get(path, []))]:
            for what, value in BAD_VALUES.items():
                query = "&".join(f"{word}={value}" for word in words)
                answer = cast.browsers[role].get(f"{at}?{query}", headers=BROWSER)
                wrong += complaints(answer, f"{row.call}, {words}, {what}", traced=False)
    assert "\n".join(wrong) == ""
    assert all_rows() == before


def test_a_bad_field_is_refused_with_a_page_and_leaves_no_trace(cast: Cast) -> None:
    before, wrong = all_rows(), list[str]()
    for row, role in one_row_each("POST"):
        values = values_of(cast, row)
        path = row.call.split()[1].format(**values)
        fields = {**MORE.get(row.call, {}), **FORMS.get(row.call, {})}
        good = {
            name: quote(text if text == EMPTY_JSON else text.format(**values))
            for name, text in fields.items()
        }
        for spoilt in good:
            for what, value in BAD_VALUES.items():
                body = "&".join(f"{n}={v}" for n, v in {**good, spoilt: value}.items())
                with rolled_back():
                    browser = Client(headers=BROWSER)
                    browser.cookies.update(cast.browsers[role].cookies)
                    answer = browser.post(path, body, content_type=FORM)
                    at = f"{row.call}, {spoilt}, {what}"
                    after = all_rows()
                    wrong += complaints(answer, at, traced=after != before)
                    stored = repr(after) if what in NEVER_STORED and after != before else ""
                    if "\\u0000" in stored or "\\ud800" in stored:
                        wrong.append(f"{at}: stored")
                    if "evil.example" in answer.get("Location", ""):
                        wrong.append(f"{at}: leads elsewhere")
    assert "\n".join(wrong) == ""


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (b"\xff\0=\0", FORM),
        (b"no parts", "multipart/form-data; boundary=x"),
        (b"no boundary", "multipart/form-data"),
        (
            b"--x\r\nContent-Disposition: form-data; name=content\r\n\r\n\xff",
            "multipart/form-data; boundary=x",
        ),
        (b'{"content": "Hello"}', "application/json"),
        (b"&".join(b"a%d=1" % n for n in range(5000)), FORM),
        (b"content=" + b"x" * 10_000_000, FORM),
    ],
    ids=["bytes", "no parts", "no boundary", "cut", "JSON", "many fields", "megabytes"],
)
def test_a_body_that_is_no_form_is_refused_with_a_page(cast: Cast, body: bytes, media: str) -> None:
    before, wrong = all_rows(), list[str]()
    for row, role in one_row_each("POST"):
        path = row.call.split()[1].format(**values_of(cast, row))
        with rolled_back():
            browser = Client(headers=BROWSER, raise_request_exception=True)
            browser.cookies.update(cast.browsers[role].cookies)
            answer = browser.generic("POST", path, body, media)
            traced = row.call not in BODYLESS and all_rows() != before
            wrong += complaints(answer, row.call, traced=traced)
    assert "\n".join(wrong) == ""


def test_what_is_no_name_names_nothing(cast: Cast) -> None:
    before, wrong = all_rows(), list[str]()
    for method in ("GET", "POST"):
        for row, role in one_row_each(method):
            path = row.call.split()[1]
            for named in re.findall(r"{(\w+)}", path):
                for name in [*WRONG_NAMES, "nothing"]:
                    at = path.format(**{**values_of(cast, row), named: name})
                    with rolled_back():
                        answer = cast.browsers[role].generic(method, at, headers=BROWSER)
                        if answer.status_code == HTTPStatus.NOT_FOUND and all_rows() != before:
                            wrong.append(f"{method} {at}: left a trace")
                    # Undoing says nothing of whether the thing is there.
                    undone = ("/unfollow", "/unlike", "/remove")
                    fine = {404} if not path.endswith(undone) else {303, 404}
                    # A post is known by its id: a form that stood open while its page got
                    # another address is still good.
                    fine |= {200, 301, 303} if named == "uuid" and "{id}" in path else set()
                    fine |= {303} if role == "anonymous" else set()
                    if answer.status_code not in fine:
                        wrong.append(f"{method} {at}: {answer.status_code}")
    assert "\n".join(wrong) == ""


# What people call themselves and say

HELL = [
    '<script>alert("1")</script>',
    "\"><img src=x onerror=alert(1)>'",
    "&lt;b&gt; {{ 7|add:7 }} {% csrf_token %}",
    "Жилище" * 13 + "ab",
    "\u202eright to left",
    "שלום עולם",
    "\u2067never closed",
]


@pytest.mark.parametrize("words", HELL)
def test_names_and_posts_are_shown_inert_and_isolated(
    ann: User, eve: User, moderator: User, words: str
) -> None:
    page = new_page(ann, uuid="hell", name="Harbour", tags=[], is_private=False)
    post = new_post(page, words)
    # Past the services, which refuse some of them: rows may be older than a rule.
    type(page).objects.update(name=words, description=words)
    User.objects.filter(pk=ann.pk).update(title=words)
    new_post(page, "An answer", reply_to=post)
    paths = [
        "/",
        "/@hell",
        f"/@hell/{post.id}",
        "/search",
        f"/u/{ann.username}",
        "/@hell/followers",
    ]
    for browser in (Client(), signed_in(eve), signed_in(moderator), signed_in(ann)):
        for path in [*paths, "/pages", "/settings", f"/@hell/{post.id}/delete", "/@hell/block"]:
            answer = browser.get(path, headers=BROWSER)
            if answer.status_code == HTTPStatus.OK:
                inert(answer.content.decode(), words, path)


def inert(html: str, words: str, path: str) -> None:
    assert "<script>alert" not in html, path
    assert "<img src=x" not in html, path
    assert not re.search(r"\son\w+=", re.sub(r'"[^"]*"', '""', re.sub(r">[^<]*<", "><", html))), (
        path
    )
    assert "14" not in re.findall(r"&lt;b&gt; (\w+)", html), path
    if not re.search(r"[\u0590-\u05ff\u2066-\u2069\u202a-\u202e]", words):
        return
    # Each stands alone: in <bdi>, in an element or field with a direction of its own, between
    # isolating marks, or where no text runs beside it.
    body = html[html.index("<body") :]
    for found in re.finditer(re.escape(words), body):
        before = body[max(0, found.start() - 300) : found.start()]
        alone = (
            before.endswith(("<bdi>", "\u2068"))
            or re.search(r'<(?:p|textarea|input|h1|title)[^>]*dir="auto"[^>]*>\s*$', before)
            or re.search(r"<(?:input|option)[^>]*$", before)
            or re.search(r"<option[^>]*>$", before)
        )
        assert alone, f"{path}: {before[-120:]!r}"
