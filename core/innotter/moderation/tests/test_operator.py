"""The operator's accounts and passwords are made and changed by the rules of everybody's."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from innotter.accounts.logins import log_in
from innotter.accounts.mailboxes import EmailTaken, InvalidEmail
from innotter.accounts.models import AccountMail, Session, User
from innotter.accounts.names import UsernameTaken
from innotter.accounts.passwords import WeakPassword
from innotter.common.errors import DomainError, Invalid
from innotter.conftest import CLIENT, PASSWORD, Api, no_trace
from innotter.moderation.management import asking
from innotter.moderation.models import ModerationAction

NEW = "another harbour 99"


def call(monkeypatch: pytest.MonkeyPatch, *words: str, password: str = NEW) -> str:
    """What the command says."""
    said = StringIO()
    monkeypatch.setattr("sys.stdin", StringIO(f"{password}\n"))
    call_command(*words, stdout=said)
    return said.getvalue()


def test_an_admin_is_made_with_a_mailbox_and_leaves_a_trace(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is reserved for nobody but the operator."""
    said = call(monkeypatch, "createsuperuser", "root", "Root@Example.org")
    assert said == "root is an admin, with the mailbox root@example.org.\n"
    log_in(login="root", password=NEW, client=CLIENT)
    user = User.objects.get()
    assert (user.email, user.pending_email, user.is_admin) == ("root@example.org", "", True)
    kept = ModerationAction.objects.get()
    assert (kept.actor, kept.action, kept.target) == (None, "make_admin", "root")


@pytest.mark.parametrize(
    ("words", "password", "error"),
    [
        (("root", "root@example.org"), "short", WeakPassword),
        (("root", "root@example.org"), "", WeakPassword),
        (("root", "nowhere"), NEW, InvalidEmail),
        (("root", "ann@example.com"), NEW, EmailTaken),
        (("ANN", "root@example.org"), NEW, UsernameTaken),
        (("no name", "root@example.org"), NEW, Invalid),
    ],
)
def test_the_rules_of_names_and_passwords_hold(
    ann: User,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, str],
    password: str,
    error: type[DomainError],
) -> None:
    with no_trace(), pytest.raises(error):
        call(monkeypatch, "createsuperuser", *words, password=password)


def test_a_new_password_ends_all_sessions_and_is_told(
    api: Api, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in(login="bob", password=PASSWORD, client=CLIENT)
    call(monkeypatch, "changepassword", "BOB")
    assert not Session.objects.filter(user=bob, ended_at=None).exists()
    assert AccountMail.objects.get().kind == "password_changed"
    log_in(login="bob", password=NEW, client=CLIENT)
    kept = ModerationAction.objects.get()
    assert (kept.actor, kept.action, kept.target) == (None, "set_password", "bob")


def test_a_weak_password_changes_nothing(bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    log_in(login="bob", password=PASSWORD, client=CLIENT)
    with no_trace(), pytest.raises(WeakPassword):
        call(monkeypatch, "changepassword", "bob", password="bob")


def test_at_a_terminal_it_is_asked_for_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    typed = iter([NEW, NEW, NEW, "something else"])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr(asking, "getpass", lambda _: next(typed))
    assert asking.ask_for_password() == NEW
    with pytest.raises(CommandError, match="another password"):
        asking.ask_for_password()
