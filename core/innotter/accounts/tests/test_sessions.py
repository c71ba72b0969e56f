from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
import time_machine
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.utils import timezone

from innotter.accounts.models import RefreshToken, User
from innotter.accounts.tokens import verify_access_token
from innotter.conftest import PASSWORD, Api, at_once, new_user, no_trace, refusal


def log_in(api: Api, login: str = "ann", password: str = PASSWORD) -> Any:
    return api().post("/auth/login", {"login": login, "password": password})


def refresh(api: Api, token: str) -> Any:
    return api().post("/auth/refresh", {"refresh": token})


@pytest.mark.parametrize("login", ["ann", "ANN", "ann@example.com", "Ann@EXAMPLE.com"])
def test_ann_logs_in_by_name_or_address_in_any_case(api: Api, ann: User, login: str) -> None:
    answer = log_in(api, login)
    assert answer.status_code == 200
    pair = answer.json()
    assert pair.keys() == {"access", "refresh", "token_type", "expires_in"}
    assert (pair["token_type"], pair["expires_in"]) == ("Bearer", 600)
    assert verify_access_token(pair["access"]).sub == ann.id


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(api: Api, ann: User) -> None:
    with no_trace():
        wrong, unknown = log_in(api, password="not hers at all"), log_in(api, "nobody")
    assert refusal(wrong) == refusal(unknown) == (401, "wrong_credentials")
    assert wrong.content == unknown.content
    assert wrong["WWW-Authenticate"] == unknown["WWW-Authenticate"]


def test_a_wrong_password_and_an_unknown_name_cost_one_hash_each(
    api: Api, settings: Any, db: None
) -> None:
    """Or else the time of the answer would tell which names exist."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
    new_user("ann")
    for login in ("ann", "nobody"):
        with (
            patch.object(Argon2PasswordHasher, "verify", return_value=False) as verify,
            patch.object(Argon2PasswordHasher, "encode", return_value="x") as encode,
        ):
            log_in(api, login, "not hers at all")
        assert verify.call_count + encode.call_count == 1


def test_a_blocked_user_is_refused_but_only_with_the_right_password(api: Api, db: None) -> None:
    new_user("ann", is_blocked=True)
    with no_trace():
        assert refusal(log_in(api)) == (403, "user_blocked")
        assert refusal(log_in(api, password="a guess or two")) == (401, "wrong_credentials")


def test_refreshing_gives_a_new_pair_and_spends_the_old_token(api: Api, ann: User) -> None:
    first = log_in(api).json()
    second = refresh(api, first["refresh"]).json()
    third = refresh(api, second["refresh"]).json()
    assert len({first["refresh"], second["refresh"], third["refresh"]}) == 3
    assert verify_access_token(third["access"]).sub == ann.id


@pytest.mark.django_db(transaction=True)
def test_a_spent_token_that_comes_back_ends_its_family_for_good(api: Api, ann: User) -> None:
    elsewhere = log_in(api).json()
    stolen = log_in(api).json()
    current = refresh(api, stolen["refresh"]).json()
    assert refusal(refresh(api, stolen["refresh"])) == (401, "invalid_refresh_token")
    assert refusal(refresh(api, current["refresh"])) == (401, "invalid_refresh_token")
    # The refusal itself is committed: nothing of the family is left, and no other session lost.
    assert RefreshToken.objects.count() == 1
    assert refresh(api, elsewhere["refresh"]).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_of_two_who_spend_a_token_at_once_one_gets_a_pair(api: Api, ann: User) -> None:
    token = log_in(api).json()["refresh"]
    answers = at_once(*[lambda: refresh(api, token)] * 5)
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401, 401]
    assert not RefreshToken.objects.exists()


def test_an_unknown_token_refreshes_nothing(api: Api, ann: User) -> None:
    log_in(api)
    with no_trace():
        assert refusal(refresh(api, "made-up")) == (401, "invalid_refresh_token")


def test_a_refresh_token_expires(api: Api, ann: User) -> None:
    token = log_in(api).json()["refresh"]
    with time_machine.travel(timezone.now() + timedelta(days=30, seconds=1)):
        assert refusal(refresh(api, token)) == (401, "invalid_refresh_token")


def test_a_blocked_user_cannot_refresh_and_has_no_session_left(api: Api, ann: User) -> None:
    token = log_in(api).json()["refresh"]
    User.objects.update(is_blocked=True)
    assert refusal(refresh(api, token)) == (401, "invalid_refresh_token")
    assert not RefreshToken.objects.exists()


def test_logging_out_ends_this_session_and_no_other(api: Api, ann: User) -> None:
    here, there = log_in(api).json(), log_in(api).json()
    assert api().post("/auth/logout", {"refresh": here["refresh"]}).status_code == 204
    assert refusal(refresh(api, here["refresh"])) == (401, "invalid_refresh_token")
    assert refresh(api, there["refresh"]).status_code == 200


def test_logging_out_twice_or_with_nonsense_is_no_error(api: Api, ann: User) -> None:
    token = log_in(api).json()["refresh"]
    for one in (token, token, "made-up"):
        assert api().post("/auth/logout", {"refresh": one}).status_code == 204


def test_the_database_does_not_know_the_tokens(api: Api, ann: User) -> None:
    token = log_in(api).json()["refresh"]
    assert token not in str(list(RefreshToken.objects.values()))
