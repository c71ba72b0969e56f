from dataclasses import dataclass

from innotter.accounts.models import User
from innotter.common.errors import NotFound
from innotter.mail.tokens import InvalidToken, read_unsubscribe_token
from innotter.pages.models import Follow, Page


@dataclass(frozen=True)
class Subscription:
    """The mails about one page to one reader."""

    reader: User
    page: Page
    follow: Follow | None

    @property
    def active(self) -> bool:
        """The reader follows the page and has not stopped its mails."""
        return self.follow is not None and self.follow.muted_at is None


def subscription_of(token: str) -> Subscription:
    """What the token of an unsubscribe link names. Raises NotFound."""
    try:
        reader_id, page_id = read_unsubscribe_token(token)
    except InvalidToken:
        raise NotFound from None
    reader = User.objects.filter(pk=reader_id).first()
    page = Page.objects.filter(pk=page_id).first()
    if reader is None or page is None:
        raise NotFound
    follow = Follow.objects.filter(user=reader, page=page, accepted_at__isnull=False).first()
    return Subscription(reader, page, follow)
