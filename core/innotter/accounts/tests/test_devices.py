"""Where a user is logged in, and what is told of a login from a new device."""

from datetime import timedelta

import pytest
from django.utils import timezone

from innotter.accounts.devices import KNOWN_FOR, prune_devices
from innotter.accounts.logins import log_in, log_in_to_site
from innotter.accounts.models import AccountMail, KnownDevice, Session, User
from innotter.accounts.services import edit_user
from innotter.common.clients import Client
from innotter.conftest import CLIENT, PASSWORD, Api, no_trace

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
NEWER = FIREFOX.replace("140", "141")
HOME, AWAY = "203.0.113.7", "198.51.100.9"


@pytest.fixture
def bob(bob: User) -> User:
    """Has had his account for long, and is known at home."""
    User.objects.filter(pk=bob.pk).update(created_at=timezone.now() - timedelta(days=365))
    enter(HOME)
    AccountMail.objects.all().delete()
    return bob


def enter(ip: str, user_agent: str = FIREFOX) -> None:
    log_in(login="bob", password=PASSWORD, client=Client(ip=ip, user_agent=user_agent))


def told() -> int:
    return AccountMail.objects.filter(kind=AccountMail.Kind.NEW_LOGIN).count()


@pytest.mark.parametrize(
    ("ip", "user_agent", "mails"),
    [
        (HOME, FIREFOX, 0),
        ("203.0.113.250", NEWER, 0),
        (AWAY, FIREFOX, 1),
        (HOME, "curl/8", 1),
    ],
)
def test_a_login_is_told_where_device_and_network_are_new(
    bob: User, ip: str, user_agent: str, mails: int
) -> None:
    enter(ip, user_agent)
    enter(ip, user_agent)
    assert told() == mails


def test_it_can_be_switched_off(bob: User) -> None:
    edit_user(actor=bob, client=CLIENT, login_notifications=False)
    enter(AWAY)
    assert told() == 0


def test_a_newcomer_is_not_told_of_their_first_login(eve: User) -> None:
    log_in(login="eve", password=PASSWORD, client=CLIENT)
    assert told() == 0


def test_a_device_is_forgotten_after_90_days(bob: User) -> None:
    KnownDevice.objects.update(updated_at=timezone.now() - KNOWN_FOR - timedelta(days=1))
    enter(HOME)
    assert told() == 1
    KnownDevice.objects.update(updated_at=timezone.now() - KNOWN_FOR - timedelta(days=1))
    assert prune_devices() == 1


def test_sessions_say_what_and_from_where(api: Api, bob: User) -> None:
    log_in_to_site(
        login="bob", password=PASSWORD, client=Client("2001:db8:1:2::/64", "Edg/ Windows")
    )
    site, app = api(bob).get("/users/me/sessions").json()["results"]
    assert (site["kind"], site["device"], site["network"]) == (
        "site",
        "Edge on Windows",
        "2001:db8:1::/48",
    )
    assert (app["kind"], app["device"], app["network"]) == (
        "app",
        "Firefox on Linux",
        "203.0.113.0/24",
    )


def test_all_others_end_together(api: Api, bob: User, eve: User) -> None:
    log_in(login="eve", password=PASSWORD, client=CLIENT)
    enter(AWAY)
    assert api(bob).delete("/users/me/sessions").status_code == 204
    assert set(Session.objects.filter(ended_at=None).values_list("user", flat=True)) == {eve.id}
    with no_trace():
        assert api(bob).delete("/users/me/sessions").status_code == 204
