"""The one place where a password is checked: counted for every way in, in every spelling."""

import unicodedata
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from innotter.accounts import logins, passwords, services
from innotter.accounts.models import KnownIP, User
from innotter.accounts.tasks import prune_sessions
from innotter.common.errors import Throttled
from innotter.common.throttling import Use, consume
from innotter.conftest import (
    CLIENT,
    PASSWORD,
    Api,
    at_once,
    bad_fields,
    new_user,
    no_trace,
    refusal,
    wait_until_blocked,
)

WRONG = "a guess or two"
NEW = "a quiet harbour 7"
ELSEWHERE = "198.51.100.7"


@pytest.fixture
def limits(settings: Any) -> Any:
    """`limits(failures_of_account=(2, 300))` for the rest of the test."""

    def change(**changes: tuple[int, int]) -> None:
        settings.LIMITS = {**settings.LIMITS, **changes}

    return change


def login(name: str, password: str = WRONG, ip: str = CLIENT.ip) -> Any:
    body = {"login": name, "password": password}
    return Client(REMOTE_ADDR=ip).post("/api/v1/auth/login", body, "application/json")


def site_login(name: str = "admin", password: str = WRONG, ip: str = CLIENT.ip) -> Any:
    """The panel's login, too."""
    browser = Client(REMOTE_ADDR=ip, headers={"Accept": "text/html"})
    return browser.post("/login", {"login": name, "password": password})


def panel_status(login: Any) -> int:
    """What the panel answers to a browser after this login."""
    return int(login.client.get("/admin/").status_code)


# Every way in


def test_the_site_counts_as_the_api_does(admin: User, limits: Any) -> None:
    limits(failures_of_account_from_address=(3, 300))
    assert [site_login().status_code for _ in range(2)] == [200, 200]
    assert login("admin").status_code == 401
    answer = site_login(password=PASSWORD)
    assert answer.status_code == 429
    assert 1 <= int(answer["Retry-After"]) <= 300
    assert "Too many attempts" in answer.content.decode()
    assert refusal(login("admin", PASSWORD)) == (429, "throttled")


def test_the_admin_panel_lets_in_an_admin_by_name_or_mailbox_and_nobody_else(
    admin: User, ann: User
) -> None:
    for name in ("admin", "ADMIN@example.com"):
        assert panel_status(site_login(name, PASSWORD)) == 200
    new_user("former", role=User.Role.ADMIN, is_blocked=True)
    for name, password in (("admin", WRONG), ("x", "y")):
        answer = site_login(name, password)
        assert (answer.status_code, panel_status(answer)) == (200, 302)
        assert "There is no account with this name and password." in answer.content.decode()
    assert (former := site_login("former", PASSWORD)).status_code == 403
    assert panel_status(former) == 302
    assert panel_status(site_login("ann", PASSWORD)) == 302


def test_a_new_mailbox_or_password_counts_as_a_login_does(api: Api, ann: User, limits: Any) -> None:
    limits(failures_of_account=(3, 300))
    for change in ({"email": "ann@elsewhere.example"}, {"password": NEW}):
        answer = api(ann).patch("/users/me", {**change, "current_password": WRONG})
        assert bad_fields(answer) == ["current_password"]
        assert answer.json()["errors"][0]["code"] == "wrong_password"
    assert login("ann").status_code == 401
    answer = api(ann).patch("/users/me", {"password": NEW, "current_password": PASSWORD})
    assert refusal(answer) == (429, "throttled")


def test_a_service_counts_without_any_view(ann: User, limits: Any) -> None:
    limits(failures_of_account_from_address=(1, 300))
    for error in (passwords.WrongCredentials, Throttled):
        with pytest.raises(error):
            logins.log_in(login="ann", password=WRONG, client=CLIENT)


@pytest.mark.django_db(transaction=True)
def test_no_rollback_takes_a_count_back(limits: Any) -> None:
    """What would count within a transaction is a mistake of ours, and seen at once."""
    limits(writes=(1, 60))
    with pytest.raises(RuntimeError), transaction.atomic():
        consume(Use("writes", "ann"))
    new_user("ann")
    limits(failures_of_account=(1, 300))
    with pytest.raises(RuntimeError), transaction.atomic():
        logins.log_in(login="ann", password=WRONG, client=CLIENT)


@pytest.mark.django_db(transaction=True)
def test_of_many_guesses_at_once_none_slips_by(limits: Any) -> None:
    new_user("ann")
    limits(failures_of_account=(3, 300))
    names = ["ann", "ann@example.com"] * 6
    answers = at_once(*(lambda name=name: login(name).status_code for name in names))
    assert sorted(answers) == [401] * 3 + [429] * 9


@pytest.mark.parametrize(
    "spellings",
    [
        (
            "zoe",
            "ZOE",
            "zoe@xn--bcher-kva.example",
            "Zoe@bücher.example",
            "ZOE@BU\u0308CHER.EXAMPLE",
        ),
        ("nobody@xn--bcher-kva.example", "Nobody@bücher.example", "nobody@BU\u0308CHER.example"),
    ],
)
def test_all_spellings_of_one_account_share_one_count(
    api: Api, limits: Any, spellings: tuple[str, ...]
) -> None:
    services.register(username="zoe", email="zoe@bücher.example", password=PASSWORD)
    limits(failures_of_account_from_address=(len(spellings), 300))
    assert [login(name).status_code for name in spellings] == [401] * len(spellings)
    assert [login(name).status_code for name in spellings] == [429] * len(spellings)


def test_nobody_fails_for_another_by_typing_their_id(ann: User, limits: Any) -> None:
    limits(failures_of_account=(1, 300))
    for name in (str(ann.id), f"user {ann.id}"):
        login(name)
    assert login("ann", PASSWORD).status_code == 200


# IPs from which an account is known


def test_known_ips_survive_a_crash_of_the_database(ann: User, limits: Any) -> None:
    """A crash empties what is not logged ahead."""
    limits(failures_of_account=(2, 300))
    assert login("ann", PASSWORD).status_code == 200
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relpersistence = 'u' AND relkind = 'r'")
        for (table,) in cursor.fetchall():
            cursor.execute(f"TRUNCATE {table}")
    for number in range(3):
        login("ann", ip=f"203.0.113.{number}")
    assert login("ann", PASSWORD, ELSEWHERE).status_code == 429
    assert login("ann", PASSWORD).status_code == 200


def test_an_ip_is_known_to_one_account_alone_and_under_no_name(ann: User, limits: Any) -> None:
    new_user("zoe")
    limits(failures_of_account=(1, 300))
    login("ann", PASSWORD)
    assert CLIENT.ip not in str(list(KnownIP.objects.values()))
    login("zoe", ip=ELSEWHERE)
    assert login("zoe", PASSWORD).status_code == 429


@pytest.mark.parametrize(("days", "status"), [(89, 200), (91, 429)])
def test_an_ip_is_known_for_90_days_after_the_last_login(
    ann: User, limits: Any, days: int, status: int
) -> None:
    for _ in range(2):
        assert login("ann", PASSWORD).status_code == 200
    assert KnownIP.objects.update(updated_at=timezone.now() - timedelta(days=days)) == 1
    limits(failures_of_account=(1, 300))
    login("ann", ip=ELSEWHERE)
    assert login("ann", PASSWORD).status_code == status
    prune_sessions()
    assert KnownIP.objects.exists() == (status == 200)


# Changes under the row's lock


@pytest.mark.django_db(transaction=True)
def test_of_many_who_change_a_password_at_once_one_does(api: Api) -> None:
    """Each with the same old one."""
    ann = new_user("ann")
    new = [f"a quiet harbour {number}" for number in range(6)]

    def change(password: str) -> int:
        body = {"password": password, "current_password": PASSWORD}
        return int(api(ann).patch("/users/me", body).status_code)

    for _ in range(3):
        answers = at_once(*(lambda one=one: change(one) for one in new))
        assert sorted(answers) == [200] + [400] * 5
        kept = [one for one in new if login("ann", one).status_code == 200]
        assert kept == [new[answers.index(200)]]
        User.objects.update(password=make_password(PASSWORD))


@pytest.mark.django_db(transaction=True)
def test_no_mailbox_changes_by_a_password_that_was_changed_meanwhile(api: Api) -> None:
    ann = new_user("ann")
    body = {"email": "thief@example.com", "current_password": PASSWORD}

    def change() -> Any:
        try:
            return api(ann).patch("/users/me", body)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as other:
        with transaction.atomic():
            # Holds the change up when it has checked the password.
            owner = User.objects.select_for_update().get()
            answer = other.submit(change)
            wait_until_blocked(answer)
            owner.set_password(NEW)
            owner.save()
        assert bad_fields(answer.result()) == ["current_password"]
    assert User.objects.get().email == "ann@example.com"


@pytest.mark.django_db(transaction=True)
def test_an_edit_is_made_of_the_row_as_it_is_now(api: Api) -> None:
    """Not of a copy that was read before somebody else's edit."""
    ann = new_user("ann")
    stale = User.objects.get()
    services.edit_user(actor=ann, client=CLIENT, title="Second")
    assert services.edit_user(actor=stale, client=CLIENT, title="ann").title == "ann"
    assert User.objects.get().title == "ann"


def test_a_hash_is_renewed_under_the_lock_of_a_login_alone(ann: User) -> None:
    """A check that writes could bring an old password back."""
    old = make_password(PASSWORD, salt="short")
    User.objects.update(password=old)
    assert passwords.authenticate(login="ann", password=PASSWORD, client=CLIENT).password == old
    assert User.objects.get().password == old
    assert login("ann", PASSWORD).status_code == 200
    assert User.objects.get().password != old
    assert login("ann", PASSWORD).status_code == 200


# Unicode

COMPOSED = "crème brûlée à gogo"
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)


@pytest.mark.parametrize("chosen", [COMPOSED, DECOMPOSED])
@pytest.mark.parametrize("typed", [COMPOSED, DECOMPOSED])
def test_a_password_is_the_same_on_every_keyboard(api: Api, chosen: str, typed: str) -> None:
    dora = {"username": "dora", "email": "dora@example.com", "password": chosen}
    assert api().post("/auth/register", dora).status_code == 201
    assert login("dora", typed).status_code == 200
    change = {"password": typed + "!", "current_password": typed}
    assert api(User.objects.get()).patch("/users/me", change).status_code == 200
    assert login("dora", chosen + "!").status_code == 200
    assert login("dora", typed).status_code == 401


def test_a_hash_from_before_is_tried_as_it_was_typed(ann: User) -> None:
    User.objects.update(password=make_password(DECOMPOSED))
    assert login("ann", DECOMPOSED).status_code == 200


@pytest.mark.parametrize("value", ["fog over\x00 9 hills", "fog over \ud800 9 hills"])
def test_what_no_keyboard_types_is_bad_input(api: Api, ann: User, value: str) -> None:
    dora = {"username": "dora", "email": "dora@example.com", "password": value}
    with no_trace():
        assert bad_fields(api().post("/auth/register", dora)) == ["password"]
        for field in ("login", "password"):
            body = {"login": "ann", "password": PASSWORD, field: value}
            assert bad_fields(api().post("/auth/login", body)) == [field]
        for field in ("password", "current_password"):
            body = {"password": NEW, "current_password": PASSWORD, field: value}
            assert bad_fields(api(ann).patch("/users/me", body)) == [field]
