"""Every route of the API, as the URLconf has it, and a body that each takes."""

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.admindocs.views import simplify_regex
from django.urls import URLPattern, URLResolver
from django.utils import timezone

from innotter.accounts.mail_tokens import mint_mail_token
from innotter.accounts.models import FormerMailbox, Invitation, MailToken, Registration, User
from innotter.config import urls
from innotter.conftest import PASSWORD
from innotter.moderation.admissions import create_invitation

# They describe the API and are no part of it.
DESCRIPTIONS = {"schema", "docs"}

# Calls that write and look at no body.
WITHOUT_BODY = {
    "DELETE /invites/{code}",
    "DELETE /pages/{uuid}",
    "DELETE /pages/{uuid}/follow",
    "DELETE /pages/{uuid}/followers/{username}",
    "DELETE /pages/{uuid}/image",
    "DELETE /pages/{uuid}/tags/{tag}",
    "DELETE /posts/{id}",
    "DELETE /posts/{id}/like",
    "DELETE /users/me/image",
    "DELETE /users/me/sessions",
    "DELETE /users/me/sessions/{id}",
    "POST /users/me/restore",
    "POST /auth/passkey/options",
    "POST /pages/{uuid}/follow",
    "POST /posts/{id}/like",
    "POST /users/me/email/resend",
    # Mail programs send a form that says nothing.
    "POST /unsubscribe/{token}",
    "PUT /pages/{uuid}/tags/{tag}",
}

# What is not signed is refused whatever it says: the app mail has tests of its own.
SIGNED = {"POST /mail/feedback"}

# What no fixed body can do, and how it is answered: it takes a challenge, an app or a passkey, of
# which the app accounts has tests.
UNPROVEN = {
    "DELETE /users/me/passkeys/{id}": 404,
    "POST /auth/login/second-factor": 401,
    "POST /auth/passkey": 401,
    "POST /users/me/passkeys": 400,
    "POST /users/me/second-factor/recovery-codes": 409,
    "POST /users/me/second-factor/totp/confirm": 409,
}

# Each list with the questions that it takes, one by one.
LISTS: dict[str, list[dict[str, str]]] = {
    "GET /feed": [],
    "GET /invites": [],
    "GET /pages": [{"tag": "all"}, {"owner": "bob"}],
    "GET /pages/{uuid}/follow-requests": [],
    "GET /pages/{uuid}/followers": [],
    "GET /pages/{uuid}/posts": [],
    "GET /posts/{id}/replies": [],
    "GET /registrations": [],
    "GET /search": [{"q": "user"}, {"q": "page", "type": "page"}],
    "GET /tags": [{"q": "t"}],
    "GET /users/me/follows": [],
    "GET /users/me/likes": [],
    "GET /users/me/pages": [],
    "GET /users/me/passkeys": [],
    "GET /users/me/sessions": [],
    "GET /users/{username}/pages": [],
}
# Those that answer no call without a question.
NEEDED = {"GET /search": {"q": "page"}}


@dataclass(frozen=True)
class Route:
    """A method of a path; the path begins below /api/v1."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def routes() -> list[Route]:
    """In the order of their paths."""
    found = {
        Route(method.upper(), path)
        for pattern, path in _paths(urls.api)
        if pattern.name not in DESCRIPTIONS
        for method in pattern.callback.actions  # type: ignore[attr-defined] # of a ViewSet
        if method != "head"
    }
    return sorted(found, key=lambda route: (route.path, route.method))


def _paths(
    patterns: Iterable[URLPattern | URLResolver], above: str = ""
) -> Iterator[tuple[URLPattern, str]]:
    for pattern in patterns:
        own = above + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _paths(pattern.url_patterns, own)
        else:
            path = simplify_regex(own).replace("<", "{").replace(">", "}")
            yield pattern, "/" + path.lstrip("/")


def tomorrow() -> datetime:
    return timezone.now() + timedelta(days=1)


def bodies(*, refresh: str, links: dict[str, str] | None = None) -> dict[str, dict[str, Any]]:
    """By route. `refresh` is a token that is good; `links` are those of mails, by purpose."""
    links = links or {}
    return {
        "POST /auth/register": {
            "username": "newcomer",
            "email": "newcomer@example.com",
            "password": PASSWORD,
            "title": "A newcomer",
            "time_zone": "Europe/Riga",
        },
        "POST /auth/login": {"login": "target", "password": PASSWORD},
        "POST /auth/login/second-factor": {"challenge": "c2VjcmV0", "code": "123456"},
        "POST /auth/passkey": {
            "id": "c2VjcmV0",
            "rawId": "c2VjcmV0",
            "type": "public-key",
            "response": {
                "clientDataJSON": "e30",
                "authenticatorData": "c2VjcmV0",
                "signature": "c2VjcmV0",
                "userHandle": "c2VjcmV0",
            },
        },
        "POST /auth/refresh": {"refresh": refresh},
        "POST /auth/logout": {"refresh": refresh},
        "POST /auth/password-reset": {"email": "target@example.com"},
        "POST /auth/password-reset/confirm": {
            "token": links.get("reset", "none"),
            "password": "another quiet harbour 7",
        },
        "POST /auth/email/confirm": {"token": links.get("confirm", "none")},
        "POST /auth/email/undo": {"token": links.get("undo", "none")},
        "PATCH /users/me": {
            "username": "renamed",
            "title": "Another title",
            "email": "another@example.com",
            "email_notifications": "off",
            "language": "ru",
            "time_zone": "Europe/Riga",
            "digest_hour": 7,
            "login_notifications": False,
            "password": "another quiet harbour 7",
            "current_password": PASSWORD,
        },
        "DELETE /users/me": {"current_password": PASSWORD},
        "POST /users/me/export": {"current_password": PASSWORD},
        "DELETE /users/{username}": {"reason": "They asked for it"},
        "POST /users/me/second-factor/totp": {"current_password": PASSWORD},
        "DELETE /users/me/second-factor/totp": {"current_password": PASSWORD},
        "POST /users/me/second-factor/recovery-codes": {"current_password": PASSWORD},
        "POST /users/me/passkeys/options": {"current_password": PASSWORD},
        "DELETE /users/me/passkeys/{id}": {"current_password": PASSWORD},
        "POST /users/me/second-factor/totp/confirm": {"code": "123456"},
        "POST /users/me/passkeys": {
            "id": "c2VjcmV0",
            "rawId": "c2VjcmV0",
            "type": "public-key",
            "response": {"clientDataJSON": "e30", "attestationObject": "c2VjcmV0"},
            "name": "My phone",
        },
        "POST /users/{username}/block": {"reason": "Spam"},
        "POST /users/{username}/confirm-email": {"reason": "A letter came"},
        "POST /users/{username}/password-reset": {"reason": "Asked by telephone"},
        "DELETE /users/{username}/block": {"reason": "A mistake"},
        "PUT /users/{username}/role": {"role": "moderator"},
        "POST /invites": {"uses": 2, "expires_at": tomorrow().isoformat()},
        "POST /registrations/{id}/approve": {"reason": "A neighbour"},
        "POST /registrations/{id}/reject": {"reason": "A stranger"},
        "POST /pages": {
            "name": "A new page",
            "uuid": "new",
            "description": "What is new.",
            "tags": ["new"],
            "is_private": True,
        },
        "PATCH /pages/{uuid}": {
            "name": "Another name",
            "uuid": "another",
            "description": "What is other.",
            "tags": ["other"],
            "is_private": True,
        },
        "POST /pages/{uuid}/block": {"until": tomorrow().isoformat(), "reason": "Spam"},
        "DELETE /pages/{uuid}/block": {"reason": "A mistake"},
        "POST /pages/{uuid}/follow-requests/accept": {"all": True},
        "POST /pages/{uuid}/follow-requests/reject": {"all": True},
        "POST /pages/{uuid}/posts": {"content": "Hello again"},
        "POST /mail/feedback": {
            "Type": "Notification",
            "MessageId": "1",
            "TopicArn": "arn:of:nobody",
            "Message": "{}",
            "Timestamp": "",
            "SignatureVersion": "2",
            "Signature": "",
            "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/x.pem",
        },
        "PATCH /posts/{id}": {"content": "Other words"},
    }


def links_of(user: User) -> dict[str, str]:
    """Tokens of mails to the user, by purpose, each of which is good."""
    user.pending_email = "pending@example.com"
    user.save()
    FormerMailbox.objects.create(user=user, mailbox="former@example.com", reserved_until=tomorrow())
    mailboxes = {"confirm": user.pending_email, "undo": "former@example.com", "reset": user.email}
    return {
        purpose: mint_mail_token(user, MailToken.Purpose(purpose), str(mailbox))
        for purpose, mailbox in mailboxes.items()
    }


def files() -> dict[str, bytes]:
    """By route: what is sent as a form."""
    pixel = base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGNgYGAAAAAEAAH2FzhVAAAAAElFTkSuQmCC"
    )
    return {"PUT /users/me/image": pixel, "PUT /pages/{uuid}/image": pixel}


def make_invitation(moderator: User) -> Invitation:
    return create_invitation(actor=moderator, uses=3, expires_at=tomorrow())


def make_registration(*, is_confirmed: bool = True) -> Registration:
    """About which moderators have to decide."""

    return Registration.objects.create(
        username="claimant",
        mailbox="claimant@example.com",
        password="!",
        title="claimant",
        language="en",
        needs_approval=True,
        confirmed_at=timezone.now() if is_confirmed else None,
        expires_at=tomorrow(),
    )


def admission_names(path: str) -> dict[str, str]:
    """What a path names of the invitation and the registration above."""
    names = {"code": Invitation.objects.get().code}
    return names | ({"id": str(Registration.objects.get().id)} if "/registrations/" in path else {})
