from typing import Any

import pytest
from django.test import Client

from innotter.accounts.mail_tokens import mint_mail_token
from innotter.accounts.models import MailToken, User
from innotter.accounts.tokens import mint_access_token
from innotter.conftest import PASSWORD, Api, at_once, bad_fields, new_user, no_trace, refusal


@pytest.mark.parametrize("username", ["ann", "ANN"])
def test_anybody_sees_a_user_without_what_is_private(api: Api, ann: User, username: str) -> None:
    answer = api().get(f"/users/{username}")
    assert answer.status_code == 200
    user = answer.json()
    assert user["username"] == "ann"
    assert user.keys() == {
        "id",
        "username",
        "title",
        "image",
        "role",
        "is_blocked",
        "created_at",
    }


@pytest.mark.parametrize("username", ["nobody", "%00", "a%2Fb", "%ED%A0%80", "x" * 500])
def test_an_unknown_user_is_not_found(api: Api, ann: User, username: str) -> None:
    assert refusal(api().get(f"/users/{username}")) == (404, "not_found")


def test_ann_changes_what_she_may(api: Api, ann: User) -> None:
    before = api(ann).get("/users/me").json()
    changes = {
        "title": "Анна 🌻",
        "email_notifications": "daily",
        "language": "ru",
    }
    for field, value in changes.items():
        answer = api(ann).patch("/users/me", {field: value, "current_password": PASSWORD})
        assert answer.status_code == 200
        assert answer.json()[field] == value
    assert answer.json() == {**before, **changes} == api(ann).get("/users/me").json()


def test_nobody_makes_themselves_another_by_editing(api: Api, ann: User) -> None:
    changes = {
        "id": "x",
        "role": "admin",
        "is_blocked": True,
        "created_at": None,
        "is_staff": True,
    }
    with no_trace():
        assert api(ann).patch("/users/me", changes).json()["role"] == "user"
        assert api(ann).patch("/users/me", {}).status_code == 200


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", ""),
        ("title", "  "),
        ("title", None),
        ("title", "x" * 101),
        ("title", "a\0b"),
        ("email", "nobody"),
        ("email", ""),
        ("email", None),
        ("email", f"{'x' * 250}@example.com"),
        ("email_notifications", "weekly"),
        ("email_notifications", None),
        ("language", "de"),
        ("language", ["en"]),
    ],
)
def test_an_edit_outside_the_limits_is_bad_input(
    api: Api, ann: User, field: str, value: Any
) -> None:
    with no_trace():
        body = {"title": "fine", "current_password": PASSWORD, field: value}
        answer = api(ann).patch("/users/me", body)
        assert set(bad_fields(answer)) == {field}


def test_ones_own_address_ends_a_claim_on_another(api: Api, ann: User) -> None:
    body = {"email": "other@example.com", "current_password": PASSWORD}
    assert api(ann).patch("/users/me", body).json()["pending_email"] == "other@example.com"
    body["email"] = "ANN@example.com"
    assert api(ann).patch("/users/me", body).json()["pending_email"] is None


def test_anonymous_visitors_edit_nobody(api: Api, ann: User) -> None:
    with no_trace():
        assert refusal(api().patch("/users/me", {"title": "x"})) == (401, "unauthenticated")


@pytest.mark.django_db(transaction=True)
def test_of_ten_who_confirm_an_email_at_once_one_gets_it(api: Api) -> None:
    people = [new_user(f"user-{number}") for number in range(10)]
    body = {"email": "same@example.com", "current_password": PASSWORD}
    tokens = []
    for who in people:
        api(who).patch("/users/me", body)
        tokens.append(mint_mail_token(who, MailToken.Purpose.CONFIRM, body["email"]))
    answers = at_once(
        *(lambda t=token: api().post("/auth/email/confirm", {"token": t}) for token in tokens)
    )
    # Who comes later has no claim any more.
    assert sorted(answer.status_code for answer in answers) == [204] + [400] * 9
    assert User.objects.filter(email="same@example.com").count() == 1


def test_a_refusal_that_quotes_a_lone_surrogate_can_be_sent(api: Api, ann: User) -> None:
    answer = Client().generic(
        "PATCH",
        "/api/v1/users/me",
        '{"language": "\\ud800"}',
        "application/json",
        headers={"Authorization": f"Bearer {mint_access_token(ann)}"},
    )
    assert bad_fields(answer) == ["language"]
