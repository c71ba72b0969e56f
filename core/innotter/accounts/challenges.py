"""Challenges: five minutes, once; the database knows a hash of each."""

import secrets
from datetime import timedelta

from django.db.models import F
from django.utils import timezone

from innotter.accounts.models import Challenge, Totp, User
from innotter.accounts.selectors import digest
from innotter.common.errors import Unauthenticated
from innotter.common.pruning import prune

CHALLENGE_LIFE = timedelta(minutes=5)
MOST_TRIES = 5
# In which an authenticator app that was shown its secret has to give a first code.
SETUP_LIFE = timedelta(hours=1)


Purpose = Challenge.Purpose


class InvalidChallenge(Unauthenticated):
    code = "invalid_challenge"
    detail = "This login took too long or too many tries. Begin again."


def issue_challenge(purpose: Challenge.Purpose, *, user: User | None) -> str:
    """A token of 32 random bytes in base64url. If it is for a user, their row is locked."""
    token = secrets.token_urlsafe(32)
    Challenge.objects.create(
        digest=digest(token),
        purpose=purpose,
        user=user,
        expires_at=timezone.now() + CHALLENGE_LIFE,
    )
    return token


def open_challenge(token: str, purpose: Challenge.Purpose) -> Challenge | None:
    """With its user, if it can still be answered."""
    return (
        Challenge.objects.select_related("user")
        .filter(
            digest=digest(token),
            purpose=purpose,
            expires_at__gt=timezone.now(),
            tries__lt=MOST_TRIES,
        )
        .first()
    )


def try_challenge(token: str, purpose: Challenge.Purpose) -> Challenge:
    """With its user, one try further on, which is counted whatever follows. Not for use in a
    transaction. Raises InvalidChallenge."""
    found = open_challenge(token, purpose)
    counted = Challenge.objects.filter(pk__in=[found and found.pk], tries__lt=MOST_TRIES)
    if found is None or not counted.update(tries=F("tries") + 1):
        raise InvalidChallenge
    return found


def spend_challenge(challenge: Challenge) -> None:
    """Of many at once, one does. Raises InvalidChallenge."""
    if not Challenge.objects.filter(pk=challenge.pk).delete()[0]:
        raise InvalidChallenge


def void_challenges(user: User) -> None:
    """What was begun with a former password or factor leads nowhere. Nor does a secret that waits
    for its app: the one who began has seen it."""
    Challenge.objects.filter(user=user).delete()
    Totp.objects.filter(user=user, confirmed_at=None).delete()


def prune_challenges() -> int:
    """Deletes those that are over, and secrets that no app has confirmed in time; how many rows
    together."""
    now = timezone.now()
    setups = Totp.objects.filter(confirmed_at=None, created_at__lt=now - SETUP_LIFE)
    return prune(Challenge.objects.filter(expires_at__lt=now), by="expires_at") + prune(
        setups, by="created_at"
    )
