"""One form of an e-mail address, one mailbox, one account."""

from importlib import import_module

import pytest
from django.apps import apps
from hypothesis import given
from hypothesis import strategies as st

from innotter.accounts.models import User
from innotter.common.emails import canonical_email, folded_email
from innotter.conftest import (
    PASSWORD,
    Api,
    bad_fields,
    confirm_mailbox,
    new_user,
    no_trace,
    property_test,
    refusal,
)
from innotter.mail.ses_events import Recipient
from innotter.moderation.services import make_admin

DORA = {"username": "dora", "email": "dora@example.com", "password": PASSWORD}
FORMS = {
    "a@xn--bcher-kva.example": [
        "a@bücher.example",
        "a@xn--bcher-kva.example",
        "A@BÜCHER.Example",
        "a@BU\u0308CHER.example",
        "a@XN--BCHER-KVA.example",
    ],
    "a@xn--istanbul-o0e.com": ["a@İstanbul.com", "a@i\u0307stanbul.com"],
    "a@example.com": ["A@example.com", "a@ｅｘａｍｐｌｅ.com", "a@example。com"],
    "o'dora.b+c@example.com": ["O'Dora.B+C@Example.COM"],
    f"{'x' * 64}@example.com": [f"{'X' * 64}@example.com"],
}
PAIRS = [(form, canonical) for canonical, forms in FORMS.items() for form in forms]
NO_MAILBOX = [
    "",
    "dora",
    "dora@",
    "@example.com",
    "a b@example.com",
    "a@b@example.com",
    "annı@example.com",
    "é@example.com",
    "ａ@example.com",
    "\u212a@example.com",
    "x@localhost",
    "x@example",
    "x@mail.localhost",
    f"{'x' * 65}@example.com",
    f"x@{'y' * 64}.example.com",
    ".x@example.com",
    "x..y@example.com",
    "x@-example.com",
    "x@exa_mple.com",
    "x@127.0.0.1",
    "x@[127.0.0.1]",
    '"x y"@example.com',
    "Dora <dora@example.com>",
    "x@example.com\n.example.com",
    "x\0@example.com",
    "x\ud800@example.com",
    "x@\ud800.example.com",
    f"x@{'.'.join('y' * 60 for _ in range(4))}.example.com",
]


@pytest.mark.parametrize(("form", "canonical"), PAIRS)
def test_every_form_of_a_mailbox_is_one_account(api: Api, form: str, canonical: str) -> None:
    assert api().post("/auth/register", {**DORA, "email": form}).status_code == 201
    assert User.objects.get().pending_email == canonical
    confirm_mailbox(User.objects.get())
    for other in FORMS[canonical]:
        answer = api().post("/auth/login", {"login": other, "password": PASSWORD})
        assert answer.status_code == 200
        with no_trace():
            answer = api().post("/auth/register", {**DORA, "username": "zoe", "email": other})
            assert refusal(answer) == (409, "email_taken")


@pytest.mark.parametrize(("form", "canonical"), PAIRS)
def test_a_change_keeps_the_same_form(api: Api, ann: User, form: str, canonical: str) -> None:
    answer = api(ann).patch("/users/me", {"email": form, "current_password": PASSWORD})
    assert answer.json()["pending_email"] == canonical


@pytest.mark.parametrize("email", NO_MAILBOX)
def test_what_no_mail_system_takes_is_refused(api: Api, ann: User, email: str) -> None:
    with no_trace():
        assert bad_fields(api().post("/auth/register", {**DORA, "email": email})) == ["email"]
        body = {"email": email, "current_password": PASSWORD}
        assert bad_fields(api(ann).patch("/users/me", body)) == ["email"]


@property_test
@given(st.one_of(st.emails(), st.text(), st.text().map(lambda text: f"a@{text}.com")))
def test_a_canonical_address_is_its_own_canonical_form(text: str) -> None:
    try:
        canonical = canonical_email(text)
    except ValueError:
        return
    assert canonical.isascii()
    assert canonical == canonical.lower() == canonical_email(canonical)
    assert canonical == canonical_email(text.upper()) or not text.isascii()


def test_what_ses_says_of_a_mailbox_is_compared_in_its_form() -> None:
    for form, canonical in PAIRS:
        assert Recipient(emailAddress=f"Dora <{form}>").address == canonical
    assert folded_email("Someone@LOCALHOST") == "someone@localhost"


def test_what_the_operator_makes_has_it_too(db: None) -> None:
    make_admin(username="root", email="Root@bücher.example", password=PASSWORD)
    assert User.objects.get().email == "root@xn--bcher-kva.example"
    with pytest.raises(ValueError, match="valid e-mail"):
        User.objects.create_user("zoe", "zoe@localhost", PASSWORD)


def test_old_rows_take_their_form_and_those_that_cannot_stay_as_they_are(
    api: Api, db: None
) -> None:
    before = {
        "a": "A@Example.com",
        "b": "b@bücher.example",
        "c": "c@xn--bcher-kva.example",
        "d": "c@bücher.example",
        "e": "annı@example.com",
    }
    for name, email in before.items():
        new_user(name)
        User.objects.filter(username=name).update(email=email)
    migration = import_module("innotter.accounts.migrations.0006_canonical_emails")
    for _ in range(2):
        migration.to_canonical_form(apps, None)
        after = dict(User.objects.values_list("username", "email"))
        assert after == {**before, "a": "a@example.com", "b": "b@xn--bcher-kva.example"}
    for name, email in before.items():
        answer = api().post("/auth/login", {"login": email, "password": PASSWORD})
        assert answer.status_code == 200
        session = User.objects.get(session__isnull=False)
        assert session.username == name
        session.session_set.all().delete()
