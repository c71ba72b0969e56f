"""Limits are counted by all processes together, answered with 429, and lock out nobody else."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client, RequestFactory

from innotter.accounts.logins import log_in
from innotter.accounts.models import User
from innotter.common.clients import client_ip
from innotter.common.errors import Throttled
from innotter.common.models import Usage
from innotter.common.tasks import prune_usage
from innotter.common.throttling import Use, consume, count, refund
from innotter.config import settings as configured
from innotter.conftest import CLIENT, PASSWORD, Api, at_once, new_user, no_trace, refusal

type Limits = Any

HERE, THERE = "192.0.2.1", "198.51.100.7"
WRONG = "a guess or two"


@pytest.fixture
def limits(settings: Any) -> Limits:
    """`limits(writes=(2, 60))` for the rest of the test."""

    def change(**changes: tuple[int, int]) -> None:
        settings.LIMITS = {**settings.LIMITS, **changes}

    return change


def later(*, seconds: int) -> None:
    """The time of all that is counted passes; the clock that counts is the database's."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE common_usage SET until = until - make_interval(secs => %s)", [seconds]
        )


def post(path: str, body: Any, ip: str = HERE) -> Any:
    return Client(REMOTE_ADDR=ip).post(f"/api/v1{path}", body, "application/json")


def login(password: str, ip: str = HERE, name: str = "ann") -> Any:
    return post("/auth/login", {"login": name, "password": password}, ip)


def assert_throttled(answer: Any, *, at_most: int) -> None:
    assert refusal(answer) == (429, "throttled")
    assert 1 <= int(answer["Retry-After"]) <= at_most


# Counting


def test_so_many_times_in_so_many_seconds(db: None, limits: Limits) -> None:
    limits(writes=(2, 60))
    ann, bob = Use("writes", "ann"), Use("writes", "bob")
    consume(ann)
    consume(ann)
    with pytest.raises(Throttled) as refused:
        consume(ann)
    assert 1 <= refused.value.retry_after <= 60
    consume(bob)
    later(seconds=59)
    with pytest.raises(Throttled):
        consume(ann)
    later(seconds=2)
    consume(ann)


def test_what_is_given_back_was_never_counted(db: None, limits: Limits) -> None:
    limits(writes=(1, 60))
    ann = Use("writes", "ann")
    for _ in range(3):
        consume(ann)
        refund(ann)
    later(seconds=61)
    refund(ann)
    consume(ann)
    assert list(count(ann)) == [ann]


def test_a_limit_of_nothing_is_none(
    db: None, limits: Limits, django_assert_num_queries: Any
) -> None:
    limits(writes=(0, 60))
    with django_assert_num_queries(0):
        consume(Use("writes", "ann"))


def test_a_check_is_one_statement(db: None, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        consume(Use("writes", "ann"), Use("refreshes_of_account", "ann"))


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_no_more_pass_than_may(limits: Limits) -> None:
    limits(writes=(5, 60), refreshes_of_account=(100, 60))
    # In both orders: none waits for the other for ever.
    one, other = Use("writes", "ann"), Use("refreshes_of_account", "ann")
    over = at_once(*[lambda: count(one, other), lambda: count(other, one)] * 6)
    assert sorted(map(len, over)) == [0] * 5 + [1] * 7


def test_the_table_tells_nothing_and_is_emptied(db: None) -> None:
    consume(Use("writes", "ann"), Use("failures_from_address", HERE))
    assert HERE not in str(list(Usage.objects.values()))
    assert prune_usage() == 0
    later(seconds=61)
    assert prune_usage() == 1
    assert Usage.objects.count() == 1


def test_nothing_is_written_ahead_for_the_counters(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relpersistence FROM pg_class WHERE relname = 'common_usage'")
        assert cursor.fetchone() == ("u",)


def test_by_default_no_honest_caller_meets_a_limit() -> None:
    times = {name: times / seconds for name, (times, seconds) in configured.LIMITS.items()}
    assert times["writes"] >= 300 / 60
    assert times["registrations_from_address"] >= 200 / 3600
    assert times["failures_of_account_from_address"] >= 30 / 300


# Writes


def test_writes_are_limited_for_each_user_and_reading_is_not(
    api: Api, ann: User, eve: User, limits: Limits
) -> None:
    limits(writes=(2, 60))
    for _ in range(2):
        assert api(ann).patch("/users/me", {"title": "Ann"}).status_code == 200
    with no_trace():
        assert_throttled(api(ann).post("/pages", {"name": "One more"}), at_most=60)
    assert api(ann).get("/users/me").status_code == 200
    assert api(eve).post("/pages", {"name": "Hers"}).status_code == 201


# Registering


def test_registrations_are_limited_for_each_ip(db: None, limits: Limits) -> None:
    limits(registrations_from_address=(2, 3600))

    def register(name: str, ip: str) -> Any:
        body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
        return post("/auth/register", body, ip)

    assert [register(name, HERE).status_code for name in ("dora", "dina")] == [201, 201]
    with no_trace():
        assert_throttled(register("dana", HERE), at_most=3600)
    assert register("dana", THERE).status_code == 201


# Logging in


@pytest.mark.parametrize("name", ["ann", "nobody"])
def test_wrong_passwords_are_limited_for_an_account_and_an_ip(
    ann: User, limits: Limits, name: str
) -> None:
    """Whether there is such an account or not."""
    limits(failures_of_account_from_address=(2, 300))
    for spelling in (name, name.upper()):
        assert refusal(login(WRONG, name=spelling)) == (401, "wrong_credentials")
    with no_trace():
        assert_throttled(login(WRONG, name=name), at_most=300)
        # The right one does not get through either, or guessing would go on.
        assert_throttled(login(PASSWORD, name=name), at_most=300)
    later(seconds=301)
    assert login(WRONG, name=name).status_code == 401


def test_right_passwords_do_not_count(ann: User, limits: Limits) -> None:
    limits(
        failures_of_account_from_address=(1, 300),
        failures_from_address=(1, 300),
        failures_of_account=(1, 300),
    )
    for _ in range(3):
        assert login(PASSWORD).status_code == 200
    new_user("blocked", is_blocked=True)
    for _ in range(3):
        assert refusal(login(PASSWORD, name="blocked")) == (403, "user_blocked")


def test_a_stranger_shuts_nobody_out(ann: User, limits: Limits) -> None:
    limits(failures_of_account_from_address=(1, 300))
    login(WRONG, THERE)
    assert_throttled(login(WRONG, THERE), at_most=300)
    assert login(PASSWORD, HERE).status_code == 200


def test_many_strangers_slow_only_ips_that_are_new(ann: User, limits: Limits) -> None:
    limits(failures_of_account=(2, 300))
    assert login(PASSWORD, HERE).status_code == 200
    for number in range(2):
        assert login(WRONG, f"203.0.113.{number}").status_code == 401
    for number in range(5):
        assert_throttled(login(WRONG, f"203.0.113.1{number}"), at_most=300)
    assert_throttled(login(PASSWORD, THERE), at_most=300)
    assert login(PASSWORD, HERE).status_code == 200
    later(seconds=301)
    assert login(PASSWORD, THERE).status_code == 200


def test_one_ip_does_not_try_one_password_on_everybody(db: None, limits: Limits) -> None:
    limits(failures_from_address=(2, 300))
    for name in ("a", "b"):
        assert login(WRONG, name=name).status_code == 401
    assert_throttled(login(WRONG, name="c"), at_most=300)
    assert login(WRONG, THERE, name="c").status_code == 401


def test_the_current_password_cannot_be_guessed_with_a_stolen_token(
    api: Api, ann: User, limits: Limits
) -> None:
    limits(failures_of_account_from_address=(2, 300))
    change = {"password": "a quiet harbour 7", "current_password": WRONG}
    for _ in range(2):
        assert api(ann).patch("/users/me", change).status_code == 400
    assert_throttled(api(ann).patch("/users/me", change), at_most=300)
    assert api(ann).patch("/users/me", {"title": "Fine"}).status_code == 200


# Refreshing


def test_refreshes_are_limited_for_each_account_and_each_ip(ann: User, limits: Limits) -> None:
    new_user("zoe")
    limits(refreshes_of_account=(2, 300))
    token = log_in(login="ann", password=PASSWORD, client=CLIENT).refresh
    for _ in range(2):
        token = post("/auth/refresh", {"refresh": token}).json()["refresh"]
    assert_throttled(post("/auth/refresh", {"refresh": token}, THERE), at_most=300)
    zoe = log_in(login="zoe", password=PASSWORD, client=CLIENT).refresh
    assert post("/auth/refresh", {"refresh": zoe}).status_code == 200
    limits(refreshes_from_address=(4, 300))
    assert post("/auth/refresh", {"refresh": "made-up"}).status_code == 401
    assert_throttled(post("/auth/refresh", {"refresh": "made-up"}), at_most=300)
    later(seconds=301)
    assert post("/auth/refresh", {"refresh": token}).status_code == 200


# IPs


@pytest.mark.parametrize(
    ("proxies", "forwarded", "ip"),
    [
        (0, None, HERE),
        # Anybody may say anything.
        (0, THERE, HERE),
        (1, THERE, THERE),
        (1, f"10.0.0.9, {THERE}", THERE),
        (2, f"10.0.0.9, {THERE}, 10.0.0.1", THERE),
        # A request that bypassed the proxies.
        (2, THERE, HERE),
        (1, None, HERE),
        (1, "nonsense", HERE),
        (1, "2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        (1, f"::ffff:{THERE}", THERE),
    ],
)
def test_where_a_request_comes_from(
    settings: Any, proxies: int, forwarded: str | None, ip: str
) -> None:
    settings.TRUSTED_PROXIES = proxies
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    request = RequestFactory().get("/", headers=headers, REMOTE_ADDR=HERE)
    assert client_ip(request) == ip


def test_without_an_ip_all_share_one(settings: Any) -> None:
    assert client_ip(RequestFactory().get("/", REMOTE_ADDR="")) == ""
