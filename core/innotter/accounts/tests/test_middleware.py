from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from innotter.accounts.keys import signing_key
from innotter.accounts.models import User
from innotter.accounts.tokens import mint_access_token
from innotter.conftest import Api, no_trace, refusal, signed_in
from innotter_contracts.tests.signing import Signer, refused_headers


def call(path: str, authorization: str) -> Any:
    return Client().get(f"/api/v1{path}", headers={"Authorization": authorization})


def test_a_good_token_says_who_is_calling(api: Api, ann: User) -> None:
    me = api(ann).get("/users/me").json()
    assert me["username"] == "ann"
    assert me["email"] == "ann@example.com"
    assert (me["email_notifications"], me["language"]) == ("instant", "en")


def test_the_scheme_may_be_written_in_any_case(ann: User) -> None:
    assert call("/users/me", f"bearer {mint_access_token(ann)}").status_code == 200


def test_without_a_token_one_is_nobody(api: Api, db: None) -> None:
    assert api().get("/pages").status_code == 200
    answer = api().get("/users/me")
    assert refusal(answer) == (401, "unauthenticated")
    assert answer["WWW-Authenticate"] == 'Bearer realm="innotter"'


# By what is wrong with each: the same as the tests of statistics send.
WRONG = list(refused_headers(Signer()))


@pytest.mark.parametrize("what", WRONG)
def test_any_other_authorization_is_401_on_public_endpoints_too(settings: Any, what: str) -> None:
    key = signing_key()
    core = Signer(key.kid, key=key.private.key, issuer=settings.CORE_URL)
    header = refused_headers(core)[what]
    for path in ("/users/me", "/pages", "/auth/login", "/nothing/here"):
        answer = call(path, header)
        assert refusal(answer) == (401, "invalid_token")
        assert 'error="invalid_token"' in answer["WWW-Authenticate"]


def test_no_role_is_believed_that_a_token_tells(api: Api, ann: User, eve: User) -> None:
    """She was an admin when it was made."""
    ann.role = User.Role.ADMIN
    token = mint_access_token(ann)
    answer = Client().post("/api/v1/users/eve/block", headers={"Authorization": f"Bearer {token}"})
    assert refusal(answer) == (403, "forbidden")
    assert not User.objects.get(pk=eve.pk).is_blocked


def test_a_token_that_was_changed_is_refused(ann: User, eve: User) -> None:
    header, _, signature = mint_access_token(ann).split(".")
    _, claims, _ = mint_access_token(eve).split(".")
    forged = f"{header}.{claims}.{signature}"
    assert refusal(call("/users/me", f"Bearer {forged}")) == (401, "invalid_token")


def test_a_token_expires(ann: User) -> None:
    token = mint_access_token(ann)
    with time_machine.travel(timezone.now() + timedelta(seconds=590), tick=False):
        assert call("/users/me", f"Bearer {token}").status_code == 200
    with time_machine.travel(timezone.now() + timedelta(seconds=610), tick=False):
        answer = call("/users/me", f"Bearer {token}")
    assert refusal(answer) == (401, "invalid_token")
    assert answer.json()["detail"] == "The token has expired."


def test_the_token_of_a_user_who_is_gone_is_refused(api: Api, ann: User) -> None:
    caller = api(ann)
    User.objects.filter(pk=ann.pk).delete()
    assert refusal(caller.get("/pages")) == (401, "invalid_token")


def test_a_block_works_at_once_and_until_it_is_lifted(api: Api, ann: User) -> None:
    caller = api(ann)
    assert caller.get("/users/me").status_code == 200
    User.objects.update(is_blocked=True)
    with no_trace():
        answer = caller.post("/pages", {"name": "One more"})
    assert refusal(answer) == (401, "user_blocked")
    assert "WWW-Authenticate" in answer
    assert refusal(caller.get("/pages")) == (401, "user_blocked")
    User.objects.update(is_blocked=False)
    assert caller.get("/users/me").status_code == 200


def test_a_cookie_counts_for_nothing_in_the_api(admin: User) -> None:
    browser = signed_in(admin, enforce_csrf_checks=True)
    assert browser.get("/admin/").status_code == 200
    assert refusal(browser.get("/api/v1/users/me")) == (401, "unauthenticated")
    made = browser.post("/api/v1/pages", {"name": "x"}, content_type="application/json")
    assert refusal(made) == (401, "unauthenticated")


def test_a_token_counts_for_nothing_in_the_admin_panel_and_on_the_site(admin: User) -> None:
    stranger = Client(headers={"Authorization": f"Bearer {mint_access_token(admin)}"})
    assert stranger.get("/admin/").status_code == 302
    answer = stranger.get("/settings")
    assert (answer.status_code, answer["Location"]) == (303, "/login?next=%2Fsettings")
