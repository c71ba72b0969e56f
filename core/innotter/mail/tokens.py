"""The token of an unsubscribe link: names a reader and a page, or all pages, and never expires.

Old mails lie in inboxes for years. Django's SECRET_KEY signs it; when that changes, the old one
belongs into SECRET_KEY_FALLBACKS.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from uuid import UUID

from django.core.signing import BadSignature, Signer

# "." stands in no base64, and means nothing in a path.
_signer = Signer(salt="innotter.mail.unsubscribe", sep=".")


class InvalidToken(ValueError):
    """We have not signed this."""


def unsubscribe_token(reader_id: UUID, page_id: UUID | None) -> str:
    """Without a page it stops all mail about pages."""
    named = reader_id.bytes + (page_id.bytes if page_id else b"")
    return _signer.sign(urlsafe_b64encode(named).decode().rstrip("="))


def read_unsubscribe_token(token: str) -> tuple[UUID, UUID | None]:
    """The ids of the reader and, if it names one, the page. Raises InvalidToken."""
    try:
        named = urlsafe_b64decode(_signer.unsign(token) + "==")
    except BadSignature as error:
        raise InvalidToken from error
    return UUID(bytes=named[:16]), UUID(bytes=named[16:]) if named[16:] else None
