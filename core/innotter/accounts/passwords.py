from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.hashers import identify_hasher, make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from innotter.accounts.limits import limit_password_attempts
from innotter.accounts.models import User, password_forms
from innotter.accounts.policies import UserBlocked
from innotter.accounts.selectors import folded_login, user_by_login
from innotter.common.clients import Client
from innotter.common.errors import Invalid, Unauthenticated
from innotter.common.throttling import refund

# What somebody tries first who guesses here, beside the labels of the site's host.
GUESSED_WORDS = ("innotter", "moderator", "admin", "password", "пароль")
SHORTEST_LABEL = 4
# So many letters besides these words make a password of its own.
FEWEST_OTHER_LETTERS = 4


class WrongCredentials(Unauthenticated):
    code = "wrong_credentials"
    detail = "Invalid username, e-mail address or password."


class WeakPassword(Invalid):
    code = "weak_password"


class WrongPassword(Invalid):
    code = "wrong_password"
    detail = "Wrong password."


class GuessedWordsValidator:
    """Refuses a password that is little more than words of this site (ASVS 5.0, 6.2.11)."""

    def validate(self, password: str, user: User | None = None) -> None:
        """Raises ValidationError."""
        rest = password.casefold()
        for word in _guessed_words():
            rest = rest.replace(word, "")
        is_changed = len(rest) < len(password.casefold())
        if is_changed and sum(map(str.isalpha, rest)) < FEWEST_OTHER_LETTERS:
            raise ValidationError(self.get_help_text(), code="password_of__guessed_words")

    def get_help_text(self) -> str:
        return _("This password is little more than a word that anybody would try here.")


def _guessed_words() -> list[str]:
    """The longest first: one may hold another."""
    labels = (urlsplit(settings.CORE_URL).hostname or "").split(".")
    words = {*GUESSED_WORDS, *(each for each in labels if len(each) >= SHORTEST_LABEL)}
    return sorted(words, key=len, reverse=True)


def authenticate(*, login: str, password: str, client: Client) -> User:
    """The user of a username or an e-mail address, in any case and form, by their password.

    Counted for every front end. A second factor may still be missing: logins.py asks for it.
    Not for use in a transaction: others have to see the count.
    Raises Throttled, WrongCredentials, UserBlocked.
    """
    user = user_by_login(login)
    right = is_password(password, user=user, login=folded_login(login), client=client)
    if user is None or not right or user.is_gone:
        raise WrongCredentials
    if user.is_blocked:
        raise UserBlocked
    return user


def is_password(password: str, *, user: User | None, login: str, client: Client) -> bool:
    """The one place where a password is checked, and each attempt counted. Raises Throttled."""
    uses = limit_password_attempts(user, login, client)
    if user is None:
        # An unknown name costs the same time as a wrong password.
        for form in password_forms(password):
            make_password(form)
        return False
    right = user.check_password(password)
    if right:
        refund(*uses)
    return right


def require_strong(password: str, user: User) -> None:
    """Raises WeakPassword."""
    try:
        validate_password(password_forms(password)[0], user)
    except ValidationError as error:
        raise WeakPassword("password", " ".join(error.messages)) from None


def renew_hash(user: User, password: str) -> None:
    """Where the hash is older than the hasher's parameters. The user is locked."""
    if identify_hasher(user.password).must_update(user.password):
        user.set_password(password)
        user.save(update_fields=["password"])
