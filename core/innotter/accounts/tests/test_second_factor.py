"""The second factor: what is set up, how a login asks for it, and what its change ends."""

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pyotp
import pytest
from django.core.management import call_command
from django.utils import timezone

from innotter.accounts import challenges, logins, second_factor
from innotter.accounts.challenges import InvalidChallenge
from innotter.accounts.factors import WrongCode, reencrypt_secrets
from innotter.accounts.models import (
    AccountMail,
    Challenge,
    KnownIP,
    Passkey,
    RecoveryCode,
    Session,
    Totp,
    User,
)
from innotter.accounts.second_factor import Proof
from innotter.accounts.services import edit_user
from innotter.accounts.tests.authenticator import PRESENT, Authenticator
from innotter.common.errors import DomainError
from innotter.conftest import (
    CLIENT,
    PASSWORD,
    Api,
    Log,
    at_once,
    bad_fields,
    new_user,
    no_trace,
    refusal,
)
from innotter.mail.account_mail import write_account_mails
from innotter.moderation.services import block_user

PROOF = Proof(CLIENT, password=PASSWORD)
OWN = {"current_password": PASSWORD}


def with_totp(user: User) -> tuple[pyotp.TOTP, list[str]]:
    """The user's app, whose last code is long past, and their recovery codes."""
    app = pyotp.TOTP(second_factor.set_up_totp(actor=user, proof=PROOF).secret)
    codes = second_factor.confirm_totp(actor=user, client=CLIENT, session_id=None, code=app.now())
    Totp.objects.filter(user=user).update(last_step=0)
    user.refresh_from_db()
    return app, codes


def with_passkey(user: User) -> tuple[Authenticator, list[str]]:
    device = Authenticator()
    options = second_factor.passkey_creation(actor=user, proof=PROOF)
    _, codes = second_factor.add_passkey(
        actor=user, session_id=None, credential=device.create(options)
    )
    user.refresh_from_db()
    return device, codes


def challenge_of(login: str) -> logins.SecondFactorNeeded:
    with pytest.raises(logins.SecondFactorNeeded) as needed:
        logins.log_in(login=login, password=PASSWORD, client=CLIENT)
    return needed.value


def wrong_code(app: pyotp.TOTP) -> str:
    good = {app.at(timezone.now(), counter_offset=step) for step in range(-3, 4)}
    return next(code for code in ("000000", "111111", "222222", "333333") if code not in good)


# By the API


def test_an_app_is_set_up_and_asked_for_at_every_login(api: Api, ann: User) -> None:
    setup = api(ann).post("/users/me/second-factor/totp", OWN).json()
    app = pyotp.parse_uri(setup["otpauth_uri"])
    assert isinstance(app, pyotp.TOTP)
    assert app.secret == setup["secret"]
    # Until its first code it is none.
    assert logins.log_in(login="ann", password=PASSWORD, client=CLIENT)
    first = app.now()
    confirmed = api(ann).post("/users/me/second-factor/totp/confirm", {"code": first})
    codes = confirmed.json()["recovery_codes"]
    assert len(set(codes)) == 10
    me = api(User.objects.get()).get("/users/me").json()
    assert me["second_factor"] == {"totp": True, "passkeys": 0, "recovery_codes_left": 10}

    asked = api().post("/auth/login", {"login": "ann", "password": PASSWORD}).json()
    assert asked == {
        "second_factor": {
            "challenge": asked["second_factor"]["challenge"],
            "methods": ["totp", "recovery_code"],
        }
    }
    step = {"challenge": asked["second_factor"]["challenge"]}
    # The code that confirmed it was used by that.
    again = api().post("/auth/login/second-factor", {**step, "code": first})
    assert refusal(again) == (401, "wrong_code")
    later = app.at(timezone.now(), counter_offset=1)
    tokens = api().post("/auth/login/second-factor", {**step, "code": later})
    assert tokens.json().keys() == {"access", "refresh", "token_type", "expires_in"}


def test_a_wrong_password_tells_nothing_of_a_second_factor(api: Api, ann: User, eve: User) -> None:
    with_totp(ann)
    answers = [
        api().post("/auth/login", {"login": name, "password": "not hers at all"}).json()
        for name in ("ann", "eve", "nobody")
    ]
    assert answers[0] == answers[1] == answers[2]
    assert not Challenge.objects.exists()


def test_a_recovery_code_opens_once_however_it_is_typed(ann: User) -> None:
    _, codes = with_totp(ann)
    typed = f" {codes[0].upper().replace('-', ' ').replace('0', 'O').replace('1', 'I')} "
    assert logins.finish_login(challenge=challenge_of("ann").challenge, code=typed, client=CLIENT)
    with pytest.raises(WrongCode):
        logins.finish_login(challenge=challenge_of("ann").challenge, code=codes[0], client=CLIENT)
    assert RecoveryCode.objects.filter(used_at=None).count() == 9


def test_a_passkey_alone_is_enough_and_is_a_second_factor_too(api: Api, ann: User) -> None:
    device = Authenticator()
    options = api(ann).post("/users/me/passkeys/options", OWN).json()
    assert options["authenticatorSelection"]["userVerification"] == "required"
    added = api(ann).post("/users/me/passkeys", {**device.create(options), "name": "My phone"})
    assert added.status_code == 201
    assert added.json()["name"] == "My phone"
    assert len(added.json()["recovery_codes"]) == 10
    [listed] = api(User.objects.get()).get("/users/me/passkeys").json()["results"]
    assert listed == {k: added.json()[k] for k in ("id", "name", "created_at", "last_used_at")}

    alone = api().post("/auth/passkey", device.get(api().post("/auth/passkey/options").json()))
    assert alone.json()["token_type"] == "Bearer"

    needed = challenge_of("ann")
    assert needed.methods == ["passkey", "recovery_code"]
    signed = device.get(api().post("/auth/passkey/options").json())
    body = {"challenge": needed.challenge, "passkey": signed}
    assert api().post("/auth/login/second-factor", body).status_code == 200
    assert Passkey.objects.get().last_used_at is not None
    gone = api(User.objects.get()).delete(f"/users/me/passkeys/{listed['id']}", OWN)
    assert gone.status_code == 204
    assert not RecoveryCode.objects.exists()
    assert logins.log_in(login="ann", password=PASSWORD, client=CLIENT)


@pytest.mark.parametrize("spoil", ["origin", "verification", "count", "challenge", "signature"])
def test_a_passkey_that_does_not_fit_is_refused(api: Api, ann: User, spoil: str) -> None:
    device, _ = with_passkey(ann)
    options = api().post("/auth/passkey/options").json()
    match spoil:
        case "origin":
            device.origin = "http://evil.example"
        case "verification":
            device.flags = PRESENT
        case "count":
            device.count = -1
        case "challenge":
            options["challenge"] = secrets.token_urlsafe(32)
        case "signature":
            stranger = Authenticator()
            stranger.id, stranger.count = device.id, 5
            stranger.user_id = device.user_id
            device = stranger
    answer = api().post("/auth/passkey", device.get(options))
    assert refusal(answer)[0] == 401
    assert not Session.objects.exists()


def test_a_passkey_of_somebody_else_is_no_second_factor_of_mine(
    api: Api, ann: User, eve: User
) -> None:
    with_totp(ann)
    device, _ = with_passkey(eve)
    # Not every authenticator says whose it is.
    for handle in (device.user_id, ""):
        device.user_id = handle
        signed = device.get(api().post("/auth/passkey/options").json())
        body = {"challenge": challenge_of("ann").challenge, "passkey": signed}
        assert refusal(api().post("/auth/login/second-factor", body)) == (401, "wrong_passkey")


def test_a_passkey_challenge_is_its_users_and_good_once(ann: User, eve: User) -> None:
    device = Authenticator()
    answer = device.create(second_factor.passkey_creation(actor=ann, proof=PROOF))
    with pytest.raises(second_factor.InvalidPasskey):
        second_factor.add_passkey(actor=eve, session_id=None, credential=answer)
    second_factor.add_passkey(actor=ann, session_id=None, credential=answer)
    with pytest.raises(second_factor.InvalidPasskey):
        second_factor.add_passkey(actor=ann, session_id=None, credential=answer)


# What has to be proven


CHANGES: dict[str, Callable[[User, Proof], Any]] = {
    "set_up": lambda user, proof: second_factor.set_up_totp(actor=user, proof=proof),
    "remove": lambda user, proof: second_factor.remove_totp(actor=user, proof=proof),
    "codes": lambda user, proof: second_factor.renew_recovery_codes(actor=user, proof=proof),
    "passkey": lambda user, proof: second_factor.passkey_creation(actor=user, proof=proof),
}


@pytest.mark.parametrize("change", CHANGES)
def test_who_changes_a_factor_has_just_proven_who_they_are(ann: User, change: str) -> None:
    logins.log_in_to_site(login="ann", password=PASSWORD, client=CLIENT)
    session = Session.objects.get()
    Session.objects.update(authenticated_at=timezone.now() - second_factor.RECENT)
    for proof in (Proof(CLIENT, password="not hers"), Proof(CLIENT, session.pk), Proof(CLIENT)):
        with no_trace(), pytest.raises(DomainError) as refused:
            CHANGES[change](ann, proof)
        assert refused.value.code in ("wrong_password", "login_too_old")


@pytest.mark.parametrize("change", ["set_up", "passkey"])
def test_no_factor_before_the_mailbox_is_confirmed(ann: User, change: str) -> None:
    ann.email = None
    ann.save()
    with no_trace(), pytest.raises(DomainError) as refused:
        CHANGES[change](ann, PROOF)
    assert refused.value.code == "email_unconfirmed"


def test_a_changed_factor_ends_all_other_sessions_and_every_login_under_way(ann: User) -> None:
    app, _ = with_totp(ann)
    waiting = challenge_of("ann").challenge
    for _ in range(2):
        Session.objects.create(user=ann, last_used_at=timezone.now())
    mine, other = Session.objects.all()
    second_factor.renew_recovery_codes(actor=ann, proof=Proof(CLIENT, mine.pk, password=PASSWORD))
    mine.refresh_from_db()
    other.refresh_from_db()
    assert (mine.ended_at is None, other.ended_at is None) == (True, False)
    with pytest.raises(InvalidChallenge):
        logins.finish_login(challenge=waiting, code=app.now(), client=CLIENT)


def test_a_new_password_ends_a_login_that_waits_for_its_second_factor(ann: User) -> None:
    app, _ = with_totp(ann)
    waiting = challenge_of("ann").challenge
    edit_user(actor=ann, client=CLIENT, password="another one 5", current_password=PASSWORD)
    with pytest.raises(InvalidChallenge):
        logins.finish_login(challenge=waiting, code=app.now(), client=CLIENT)


def test_a_block_holds_at_the_second_step(ann: User, admin: User, api: Api) -> None:
    app, _ = with_totp(ann)
    device, _ = with_passkey(ann)
    needed, options = challenge_of("ann"), api().post("/auth/passkey/options").json()
    block_user(actor=admin, user=ann)
    step = {"challenge": needed.challenge, "code": app.now()}
    assert refusal(api().post("/auth/login/second-factor", step)) == (403, "user_blocked")
    assert refusal(api().post("/auth/passkey", device.get(options))) == (403, "user_blocked")


# Guessing


def test_a_challenge_takes_five_tries_and_five_minutes(ann: User) -> None:
    app, _ = with_totp(ann)
    first = challenge_of("ann").challenge
    for _ in range(challenges.MOST_TRIES):
        with pytest.raises(WrongCode):
            logins.finish_login(challenge=first, code=wrong_code(app), client=CLIENT)
    old = challenge_of("ann").challenge
    Challenge.objects.filter(tries=0).update(expires_at=timezone.now() - timedelta(seconds=1))
    for over in (first, old, "made up"):
        with pytest.raises(InvalidChallenge):
            logins.finish_login(challenge=over, code=app.now(), client=CLIENT)
    assert challenges.prune_challenges() == 1


def test_codes_are_counted_for_the_account_whatever_challenge_they_come_with(
    api: Api, ann: User, settings: Any
) -> None:
    settings.LIMITS = {**settings.LIMITS, "wrong_codes_of_account_from_address": (3, 60)}
    app, _ = with_totp(ann)
    for _ in range(3):
        step = {"challenge": challenge_of("ann").challenge, "code": wrong_code(app)}
        assert refusal(api().post("/auth/login/second-factor", step)) == (401, "wrong_code")
    step = {"challenge": challenge_of("ann").challenge, "code": app.now()}
    assert refusal(api().post("/auth/login/second-factor", step)) == (429, "throttled")


def test_a_password_without_its_factor_makes_no_ip_known(ann: User) -> None:
    app, _ = with_totp(ann)
    KnownIP.objects.all().delete()
    needed = challenge_of("ann")
    assert not KnownIP.objects.exists()
    logins.finish_login(challenge=needed.challenge, code=app.now(), client=CLIENT)
    assert KnownIP.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["totp", "recovery code", "passkey", "one challenge"])
def test_of_twenty_at_once_one_gets_in(kind: str) -> None:
    ann = new_user("ann")
    app, codes = with_totp(ann)
    device, _ = with_passkey(ann)
    device.counts, device.count = False, 0
    Passkey.objects.update(sign_count=0)
    tokens = [challenge_of("ann").challenge for _ in range(20)]
    signed = device.get(logins.passkey_request(client=CLIENT))
    shown = app.now()

    def attempt(challenge: str, code: str) -> bool:
        try:
            match kind:
                case "passkey":
                    logins.log_in_by_passkey(passkey=signed, client=CLIENT)
                case "one challenge":
                    logins.finish_login(challenge=tokens[0], code=code, client=CLIENT)
                case "totp":
                    logins.finish_login(challenge=challenge, code=shown, client=CLIENT)
                case _:
                    logins.finish_login(challenge=challenge, code=codes[0], client=CLIENT)
        except DomainError:
            return False
        return True

    # With one challenge each brings a recovery code of its own, which are all good.
    many = codes * 2
    results = at_once(*(lambda t=t, c=c: attempt(t, c) for t, c in zip(tokens, many, strict=True)))
    assert results.count(True) == 1
    assert Session.objects.count() == 1


# What the operator has


def test_a_former_secret_key_still_opens_the_apps_secret(ann: User, settings: Any) -> None:
    app, _ = with_totp(ann)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another " * 9, [settings.SECRET_KEY]
    needed = challenge_of("ann")
    assert logins.finish_login(challenge=needed.challenge, code=app.now(), client=CLIENT)
    # And is needed no longer for an app that was used.
    settings.SECRET_KEY_FALLBACKS = []
    Totp.objects.update(last_step=0)
    # A command does the same for all.
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "third " * 20, [settings.SECRET_KEY]
    assert reencrypt_secrets() == (1, 0)
    settings.SECRET_KEY_FALLBACKS = []
    needed = challenge_of("ann")
    assert logins.finish_login(challenge=needed.challenge, code=app.now(), client=CLIENT)
    settings.SECRET_KEY = "lost " * 20
    needed = challenge_of("ann")
    with pytest.raises(WrongCode):
        logins.finish_login(challenge=needed.challenge, code=app.now(), client=CLIENT)


def test_the_database_holds_no_secret_that_can_be_read(ann: User) -> None:
    app, codes = with_totp(ann)
    token = challenge_of("ann").challenge
    rows = str([bytes(Totp.objects.get().secret), *RecoveryCode.objects.values_list("digest")])
    rows += str(list(Challenge.objects.values_list("digest")))
    for secret in (app.secret, codes[0], codes[0].replace("-", ""), token):
        assert secret not in rows


def test_an_operator_removes_what_was_lost(ann: User, log: Log) -> None:
    with_totp(ann)
    with_passkey(ann)
    Session.objects.create(user=ann, last_used_at=timezone.now())
    call_command("remove_second_factor", "Ann")
    ann.refresh_from_db()
    assert not ann.has_second_factor
    assert not Totp.objects.exists()
    assert not Passkey.objects.exists()
    assert not RecoveryCode.objects.exists()
    assert not Session.objects.filter(ended_at=None).exists()
    assert [line["user_id"] for line in log() if line["event"] == "second_factor_removed"] == [
        str(ann.pk)
    ]
    assert logins.log_in(login="ann", password=PASSWORD, client=CLIENT)


def test_where_there_was_no_second_factor_nothing_is_removed_and_nobody_is_told(ann: User) -> None:
    second_factor.set_up_totp(actor=ann, proof=PROOF)
    session = Session.objects.create(user=ann, last_used_at=timezone.now())
    assert not second_factor.remove_second_factor(username="ann")
    assert not Totp.objects.exists()
    assert not AccountMail.objects.exists()
    session.refresh_from_db()
    assert session.ended_at is None


@pytest.mark.parametrize(
    ("required", "refused"),
    [("off", []), ("admins", ["admin"]), ("moderators", ["moderator", "admin"])],
)
def test_who_acts_for_others_needs_a_factor_where_the_operator_says_so(
    api: Api, settings: Any, moderator: User, admin: User, page: Any, required: str, refused: Any
) -> None:
    settings.SECOND_FACTOR_REQUIRED = required
    for user in (moderator, admin):
        answer = api(user).post("/pages/ann/block", {"until": "2099-01-01T00:00:00Z"})
        if user.username in refused:
            assert refusal(answer) == (403, "second_factor_required")
            with_totp(user)
        else:
            assert answer.status_code == 200
    for user in (moderator, admin):
        answer = api(user).delete("/pages/ann/block")
        assert answer.status_code == 204


def test_each_change_is_told_by_mail(ann: User) -> None:
    _, codes = with_totp(ann)
    logins.finish_login(challenge=challenge_of("ann").challenge, code=codes[0], client=CLIENT)
    second_factor.renew_recovery_codes(actor=ann, proof=PROOF)
    with_passkey(ann)
    [passkey] = Passkey.objects.all()
    second_factor.remove_passkey(actor=ann, proof=PROOF, passkey_id=passkey.pk)
    second_factor.remove_totp(actor=ann, proof=PROOF)
    with_passkey(ann)
    call_command("remove_second_factor", "ann")
    mails = AccountMail.objects.filter(kind=AccountMail.Kind.FACTOR_CHANGED).order_by("pk")
    texts = [message.text for message in write_account_mails(list(mails)).values()]
    assert [text.strip().split(":")[0].split(".")[0] for text in texts] == [
        "An authenticator app was added to the account ann on localhost",
        "A recovery code opened the account ann on localhost",
        "New recovery codes were made for the account ann on localhost",
        "A passkey was added to the account ann on localhost",
        "A passkey of the account ann on localhost",
        "The authenticator app of the account ann on localhost",
        "A passkey was added to the account ann on localhost",
        "Those who run localhost",
    ]


def test_a_code_of_the_first_step_has_to_be_right(api: Api, ann: User) -> None:
    setup = second_factor.set_up_totp(actor=ann, proof=PROOF)
    with no_trace():
        wrong = {"code": wrong_code(pyotp.TOTP(setup.secret))}
        answer = api(ann).post("/users/me/second-factor/totp/confirm", wrong)
        assert bad_fields(answer) == ["code"]
