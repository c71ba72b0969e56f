from typing import Any

import pytest
from django.test import Client

from innotter.accounts.models import User
from innotter.config import settings as configured
from innotter.conftest import PASSWORD, Api, bad_fields, no_trace, refusal

DORA = {"username": "dora", "email": "dora@example.com", "password": PASSWORD}


def test_dora_registers_and_is_a_user_like_everybody(api: Api) -> None:
    answer = api().post("/auth/register", {**DORA, "title": "Dora the First"})
    assert answer.status_code == 201
    dora = User.objects.get()
    assert answer.json() == {
        "id": str(dora.id),
        "username": "dora",
        "title": "Dora the First",
        "image": None,
        "role": "user",
        "is_blocked": False,
        "created_at": dora.created_at.isoformat().replace("+00:00", "Z"),
    }


def test_without_a_title_the_username_is_shown(api: Api) -> None:
    assert api().post("/auth/register", DORA).json()["title"] == "dora"


def test_nobody_chooses_a_role_an_id_or_a_block(api: Api) -> None:
    forbidden = {"role": "admin", "is_blocked": True, "id": "00000000-0000-0000-0000-000000000000"}
    answer = api().post("/auth/register", {**DORA, **forbidden, "is_staff": True})
    assert answer.status_code == 201
    dora = User.objects.get()
    assert (dora.role, dora.is_blocked, dora.is_staff) == ("user", False, False)
    assert str(dora.id) != forbidden["id"]


def test_the_password_is_stored_as_a_hash(api: Api, settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
    api().post("/auth/register", DORA)
    stored = User.objects.get().password
    assert stored.startswith("argon2$argon2id$")
    assert PASSWORD not in stored


def test_argon2_is_what_the_settings_ask_for() -> None:
    assert configured.PASSWORD_HASHERS == ["django.contrib.auth.hashers.Argon2PasswordHasher"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"username": "ann"}, "username_taken"),
        ({"username": "ANN"}, "username_taken"),
        ({"email": "ann@example.com"}, "email_taken"),
        ({"email": "Ann@Example.COM"}, "email_taken"),
    ],
)
def test_a_name_or_email_that_is_taken_in_any_case_is_a_conflict(
    api: Api, ann: User, change: dict[str, str], code: str
) -> None:
    with no_trace():
        assert refusal(api().post("/auth/register", {**DORA, **change})) == (409, code)


@pytest.mark.parametrize("username", ["d", "Dora", "d.o_r-a", "1dora", "d" * 30, "meme"])
def test_usernames_that_are_fine(api: Api, username: str) -> None:
    assert api().post("/auth/register", {**DORA, "username": username}).status_code == 201


@pytest.mark.parametrize(
    "username",
    ["", " ", "_dora", "-dora", ".dora", "do ra", "do/ra", "dora@x", "дора", "d" * 31, "do\nra"],
)
def test_usernames_that_are_not(api: Api, username: str) -> None:
    with no_trace():
        answer = api().post("/auth/register", {**DORA, "username": username})
        assert bad_fields(answer) == ["username"]


@pytest.mark.parametrize("username", ["me", "ME", "Me"])
def test_me_is_the_caller_and_nobodys_name(api: Api, username: str) -> None:
    answer = api().post("/auth/register", {**DORA, "username": username})
    assert bad_fields(answer) == ["username"]


@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_language_is_what_the_body_says_or_else_the_browser(api: Api, language: str) -> None:
    def registered(name: str, body: dict[str, str], accepted: str) -> str:
        body = {**DORA, "username": name, "email": f"{name}@example.com", **body}
        headers = {"Accept-Language": accepted}
        Client().post("/api/v1/auth/register", body, "application/json", headers=headers)
        return User.objects.get(username=name).language

    other = "en" if language == "ru" else "ru"
    assert registered("a", {}, f"de, {language}-XX;q=0.8, {other};q=0.5") == language
    assert registered("b", {"language": language}, other) == language
    assert registered("c", {}, "de, \x00;q=x") == "en"


@pytest.mark.parametrize(
    "password",
    [
        *("short", "password123", "1029384756", "dora@example"),
        *("Innotter-2026-09", "localhost_Admin!1", "Пароль-Innotter"),
    ],
)
def test_a_weak_password_is_refused_with_the_reason(api: Api, password: str) -> None:
    with no_trace():
        answer = api().post("/auth/register", {**DORA, "password": password})
        assert bad_fields(answer) == ["password"]
    error = answer.json()["errors"][0]
    assert error["code"] == "weak_password"
    assert error["detail"]


def test_a_word_of_the_site_may_be_in_a_password(api: Api) -> None:
    body = {**DORA, "password": "innotter in a quiet harbour"}
    assert api().post("/auth/register", body).status_code == 201


def test_a_long_password_counts_to_its_last_character(api: Api) -> None:
    long = f"  {'a quiet harbour ' * 10}"[:127] + "7"
    assert api().post("/auth/register", {**DORA, "password": long}).status_code == 201
    answers = [
        api().post("/auth/login", {"login": "dora", "password": typed}).status_code
        for typed in (long, long[:-1], long.strip(), long.upper())
    ]
    assert answers == [200, 401, 401, 401]


@pytest.mark.parametrize("field", ["username", "email", "password"])
@pytest.mark.parametrize("value", [None, [], {}, True, "\x00"])
def test_wrong_types_are_bad_input(api: Api, field: str, value: Any) -> None:
    assert set(bad_fields(api().post("/auth/register", {**DORA, field: value}))) == {field}


def test_everything_that_is_missing_is_named_at_once(api: Api) -> None:
    answer = api().post("/auth/register", {})
    assert sorted(bad_fields(answer)) == ["email", "password", "username"]
