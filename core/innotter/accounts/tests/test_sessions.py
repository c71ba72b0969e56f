import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
import time_machine
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from innotter.accounts.models import RefreshToken, Session, User
from innotter.accounts.sessions import forget_sessions
from innotter.accounts.tasks import prune_sessions
from innotter.accounts.tokens import verify_access_token
from innotter.conftest import (
    PASSWORD,
    Api,
    at_once,
    bad_fields,
    new_user,
    no_trace,
    refusal,
    signed_in,
    wait_until_blocked,
)


def log_in(api: Api, login: str = "ann", password: str = PASSWORD, user_agent: str = "") -> Any:
    return Client().post(
        "/api/v1/auth/login",
        json.dumps({"login": login, "password": password}),
        "application/json",
        headers={"User-Agent": user_agent},
    )


def log_out(api: Api, token: str) -> Any:
    return api().post("/auth/logout", {"refresh": token})


def with_token(method: str, path: str, pair: dict[str, str], body: Any = None) -> Any:
    return Client().generic(
        method,
        f"/api/v1{path}",
        "" if body is None else json.dumps(body),
        "application/json",
        headers={"Authorization": f"Bearer {pair['access']}"},
    )


def me(pair: dict[str, str]) -> Any:
    return with_token("GET", "/users/me", pair)


def refresh(api: Api, token: str) -> Any:
    return api().post("/auth/refresh", {"refresh": token})


@pytest.mark.parametrize("login", ["ann", "ANN", "ann@example.com", "Ann@EXAMPLE.com"])
def test_ann_logs_in_by_name_or_email_in_any_case(api: Api, ann: User, login: str) -> None:
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
    """Or else the response time would reveal which names exist."""
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


def assert_over(api: Api, *pairs: dict[str, str]) -> None:
    for pair in pairs:
        assert refusal(refresh(api, pair["refresh"])) == (401, "invalid_refresh_token")
        assert refusal(me(pair)) == (401, "invalid_token")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seconds", [0, 9, 11])
@pytest.mark.parametrize("used", [False, True])
def test_a_spent_token_that_comes_back_ends_its_family_unless_it_is_a_tab(
    api: Api, ann: User, seconds: int, used: bool
) -> None:
    """A tab comes within ten seconds, and before what the first was given has been used."""
    elsewhere = log_in(api).json()
    stolen = log_in(api).json()
    current = refresh(api, stolen["refresh"]).json()
    if used:
        current = refresh(api, current["refresh"]).json()
    with time_machine.travel(timezone.now() + timedelta(seconds=seconds)):
        again = refresh(api, stolen["refresh"])
        if used or seconds > 10:
            assert refusal(again) == (401, "invalid_refresh_token")
            # The refusal is committed: nothing of the family is left, and no other session lost.
            assert RefreshToken.objects.count() == 1
            assert_over(api, current)
        else:
            for pair in (current, again.json()):
                assert me(pair).status_code == 200
                assert refresh(api, pair["refresh"]).status_code == 200
            # Both have been used now.
            assert_over(api, stolen)
    assert refresh(api, elsewhere["refresh"]).status_code == 200


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("tabs", [2, 3, 6, 20])
def test_tabs_that_refresh_together_all_go_on(api: Api, ann: User, tabs: int) -> None:
    """Round after round, each tab with what one of them was given last."""
    token = log_in(api).json()["refresh"]
    for _ in range(6):
        answers = at_once(*[lambda token=token: refresh(api, token)] * tabs)
        assert [answer.status_code for answer in answers] == [200] * tabs
        pairs = [answer.json() for answer in answers]
        assert len({pair["refresh"] for pair in pairs}) == tabs
        assert me(pairs[0]).status_code == 200
        before, token = token, pairs[-1]["refresh"]
    # What came before the last has a successor that was used: who brings it is no tab.
    late = timezone.now() + timedelta(seconds=11)
    with time_machine.travel(late):
        assert refusal(refresh(api, before)) == (401, "invalid_refresh_token")
        assert_over(api, pairs[0], pairs[-1])


@pytest.mark.django_db(transaction=True)
def test_a_tab_that_asked_in_time_may_wait_for_long(api: Api, ann: User) -> None:
    """When it asked counts, not when it was its turn."""
    token = log_in(api).json()["refresh"]
    a_minute_later = timezone.now() + timedelta(minutes=1)
    with ThreadPoolExecutor(1) as tab:
        with transaction.atomic():
            # Holds the tab up in its middle.
            session = Session.objects.select_for_update().get()
            answer = tab.submit(in_a_tab, api, token)
            wait_until_blocked(answer)
            session.refreshtoken_set.update(spent_at=timezone.now())
            travel = time_machine.travel(a_minute_later)
            travel.start()
        try:
            assert answer.result().status_code == 200
        finally:
            travel.stop()


@pytest.mark.django_db(transaction=True)
def test_thieves_and_owners_at_once_end_the_family(api: Api, ann: User) -> None:
    """The owner has used the successor; the first token is refused now, and so is every later
    request, in any order."""
    for _ in range(5):
        first = log_in(api).json()
        second = refresh(api, first["refresh"]).json()
        third = refresh(api, second["refresh"]).json()
        answers = at_once(
            *[lambda first=first: refresh(api, first["refresh"])] * 2,
            lambda third=third: refresh(api, third["refresh"]),  # type: ignore[misc]
        )
        assert [answer.status_code for answer in answers[:2]] == [401, 401]
        if answers[2].status_code == 200:
            assert_over(api, answers[2].json())
        assert_over(api, third)


def in_a_tab(api: Api, token: str) -> Any:
    try:
        return refresh(api, token)
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_a_refresh_beside_a_logout_leaves_nothing_alive(api: Api, ann: User) -> None:
    for _ in range(5):
        token = log_in(api).json()["refresh"]
        answer, _ = at_once(
            lambda token=token: refresh(api, token),  # type: ignore[misc]
            lambda token=token: log_out(api, token),  # type: ignore[misc]
        )
        assert answer.status_code in {200, 401}
    assert not RefreshToken.objects.exists()


def test_an_unknown_token_refreshes_nothing(api: Api, ann: User) -> None:
    log_in(api)
    with no_trace():
        assert refusal(refresh(api, "made-up")) == (401, "invalid_refresh_token")


def test_a_refresh_token_expires(api: Api, ann: User) -> None:
    token = log_in(api).json()["refresh"]
    with time_machine.travel(timezone.now() + timedelta(days=30, seconds=1)):
        assert refusal(refresh(api, token)) == (401, "invalid_refresh_token")


def test_a_blocked_user_cannot_refresh_before_and_after_their_sessions_are_gone(
    api: Api, ann: User
) -> None:
    token = log_in(api).json()["refresh"]
    User.objects.update(is_blocked=True)
    with no_trace():
        assert refusal(refresh(api, token)) == (401, "invalid_refresh_token")
    User.objects.update(is_blocked=False)
    forget_sessions(user=ann)
    assert refusal(refresh(api, token)) == (401, "invalid_refresh_token")
    assert not RefreshToken.objects.exists()


def test_logging_out_ends_this_session_and_no_other(api: Api, ann: User) -> None:
    here, there = log_in(api).json(), log_in(api).json()
    assert log_out(api, here["refresh"]).status_code == 204
    assert refusal(refresh(api, here["refresh"])) == (401, "invalid_refresh_token")
    assert refusal(me(here)) == (401, "invalid_token")
    assert me(there).status_code == 200
    assert refresh(api, there["refresh"]).status_code == 200


def test_logging_out_twice_or_with_nonsense_is_no_error(api: Api, ann: User) -> None:
    token = log_in(api).json()["refresh"]
    for one in (token, token, "made-up"):
        assert api().post("/auth/logout", {"refresh": one}).status_code == 204


def test_the_database_does_not_know_the_tokens(api: Api, ann: User) -> None:
    token = log_in(api).json()["refresh"]
    assert token not in str(list(RefreshToken.objects.values()))


# Seeing and ending one's sessions


def test_ann_sees_where_she_is_logged_in(api: Api, ann: User) -> None:
    new_user("zoe")
    log_in(api, "zoe")
    phone = log_in(api, user_agent="A phone\x7f" + "!" * 300).json()
    here = log_in(api, user_agent="A browser").json()
    log_out(api, log_in(api).json()["refresh"])
    answer = with_token("GET", "/users/me/sessions", here).json()
    sessions = answer["results"]
    assert [each["user_agent"] for each in sessions] == ["A browser", ("A phone" + "!" * 300)[:200]]
    assert [each["is_current"] for each in sessions] == [True, False]
    assert sessions[0].keys() == {
        "id",
        "created_at",
        "last_used_at",
        "kind",
        "device",
        "network",
        "user_agent",
        "is_current",
    }
    refresh(api, phone["refresh"])
    later = with_token("GET", "/users/me/sessions", here).json()["results"]
    assert later[1]["last_used_at"] > sessions[1]["last_used_at"]


def test_ann_ends_a_session(api: Api, ann: User) -> None:
    here, there = log_in(api).json(), log_in(api).json()
    sessions = with_token("GET", "/users/me/sessions", here).json()["results"]
    other = next(each["id"] for each in sessions if not each["is_current"])
    url = f"/users/me/sessions/{other}"
    assert with_token("DELETE", url, here).status_code == 204
    assert refusal(me(there)) == (401, "invalid_token")
    assert refusal(refresh(api, there["refresh"])) == (401, "invalid_refresh_token")
    assert refusal(with_token("DELETE", url, here)) == (404, "not_found")
    assert refresh(api, here["refresh"]).status_code == 200


def test_nobody_ends_the_session_of_another(api: Api, ann: User) -> None:
    log_in(api)
    new_user("zoe")
    zoe = log_in(api, "zoe").json()
    hers = Session.objects.get(user=ann)
    with no_trace():
        assert refusal(with_token("DELETE", f"/users/me/sessions/{hers.id}", zoe))[0] == 404
        assert refusal(with_token("DELETE", "/users/me/sessions/x", zoe))[0] == 404


NEW_PASSWORD = "a quiet harbour 7"
CHANGE = {"password": NEW_PASSWORD, "current_password": PASSWORD}


def test_changing_the_password_ends_every_other_session(api: Api, ann: User) -> None:
    here, there = log_in(api).json(), log_in(api).json()
    assert with_token("PATCH", "/users/me", here, CHANGE).status_code == 200
    assert refusal(me(there)) == (401, "invalid_token")
    assert refusal(refresh(api, there["refresh"])) == (401, "invalid_refresh_token")
    assert me(here).status_code == 200
    assert refresh(api, here["refresh"]).status_code == 200
    assert refusal(log_in(api)) == (401, "wrong_credentials")
    assert log_in(api, password=NEW_PASSWORD).status_code == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"password": NEW_PASSWORD}, "current_password"),
        ({"email": "ann@elsewhere.example"}, "current_password"),
        ({"email": "ann@elsewhere.example", "current_password": "a guess"}, "current_password"),
        ({**CHANGE, "current_password": "a guess or two"}, "current_password"),
        ({**CHANGE, "password": "password123"}, "password"),
        ({**CHANGE, "password": None}, "password"),
    ],
)
def test_a_password_is_not_changed_without_the_current_one_or_for_a_weak_one(
    api: Api, ann: User, change: dict[str, Any], field: str
) -> None:
    here, there = log_in(api).json(), log_in(api).json()
    with no_trace():
        answer = with_token("PATCH", "/users/me", here, {"title": "Another", **change})
        assert bad_fields(answer) == [field]
    assert me(there).status_code == 200


def test_no_login_with_the_old_password_outlives_its_change(api: Api, ann: User) -> None:
    """One that was being checked when the change came."""

    def changes_meanwhile(user: User, password: str) -> bool:
        other = User.objects.get()
        other.set_password(NEW_PASSWORD)
        other.save()
        return True

    with patch.object(User, "check_password", changes_meanwhile):
        assert refusal(log_in(api)) == (401, "wrong_credentials")
    assert not Session.objects.exists()


def test_what_no_token_can_come_back_to_is_deleted(api: Api, ann: User) -> None:
    now = timezone.now()
    with time_machine.travel(now - timedelta(days=31)):
        abandoned = log_in(api).json()
        kept = log_in(api).json()
    with time_machine.travel(now - timedelta(days=29)):
        kept = refresh(api, kept["refresh"]).json()
    with time_machine.travel(now - timedelta(minutes=5)):
        log_out(api, log_in(api).json()["refresh"])
    with time_machine.travel(now - timedelta(minutes=11)):
        log_out(api, log_in(api).json()["refresh"])
    # Of the first: itself and its token; of the second its spent token; the last one.
    assert prune_sessions() == 4
    assert Session.objects.count() == 2
    assert refresh(api, kept["refresh"]).status_code == 200
    assert refusal(refresh(api, abandoned["refresh"])) == (401, "invalid_refresh_token")


def test_the_operator_ends_those_of_one_or_of_everybody(api: Api, ann: User, eve: User) -> None:
    def browsers() -> list[int]:
        return [each.get("/settings").status_code for each in (anns, eves)]

    anns, eves = signed_in(ann), signed_in(eve)
    pair = log_in(api).json()
    call_command("end_sessions", "ann")
    assert browsers() == [303, 200]
    assert [me(pair).status_code, refresh(api, pair["refresh"]).status_code] == [401, 401]
    call_command("end_sessions", "--all")
    assert browsers() == [303, 303]
    with pytest.raises(CommandError):
        call_command("end_sessions", "nobody")
