from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Lower

from innotter.accounts.models import AccountMail, User
from innotter.accounts.selectors import hidden
from innotter.common.compiled import compiled, now
from innotter.common.errors import NotFound
from innotter.mail.models import Delivery, Suppression
from innotter.mail.tokens import InvalidToken, read_unsubscribe_token
from innotter.pages.models import Follow, Page
from innotter.pages.selectors import visible_to_each


@dataclass(frozen=True)
class Subscription:
    """The mails about one page to one reader, or about all pages."""

    # None for what is gone: no mail is sent then.
    reader: User | None
    page: Page | None
    follow: Follow | None = None
    everything: bool = False

    @property
    def active(self) -> bool:
        """The reader follows the page and has not stopped its mails, or has not stopped all."""
        if self.everything:
            off = User.EmailNotifications.OFF
            return self.reader is not None and self.reader.email_notifications != off
        return self.follow is not None and self.follow.muted_at is None


def subscription_of(token: str) -> Subscription:
    """What the token of an unsubscribe link names. Raises NotFound where we have not signed it."""
    try:
        reader_id, page_id = read_unsubscribe_token(token)
    except InvalidToken:
        raise NotFound from None
    reader = User.objects.filter(pk=reader_id).first()
    if page_id is None:
        return Subscription(reader, None, everything=True)
    page = Page.objects.filter(pk=page_id).first()
    if reader is None or page is None:
        return Subscription(reader, page)
    follow = Follow.objects.filter(user=reader, page=page, accepted_at__isnull=False).first()
    return Subscription(reader, page, follow)


def is_mail_due() -> bool:
    """Whether the clock's `send_due` would find something to do."""
    return bool(_due_mail())


@compiled
def _due_mail() -> QuerySet[Any, Any]:
    """One of each kind, at most: the clock asks every three seconds, and this is what it costs."""
    account_mail = AccountMail.due(now())
    waiting = Delivery.objects.filter(state=Delivery.State.WAITING, due_at__lte=now())
    lost = Delivery.lost(now())
    first, *others = (kind.values_list("id")[:1] for kind in (account_mail, waiting, lost))
    return first.union(*others, all=True)


def wanted_deliveries(ids: Collection[UUID]) -> set[UUID]:
    """Those of these deliveries that may leave now: the reader follows the page and has not
    stopped its mails, may see what is on it, does not own it, is neither blocked nor leaving,
    wants mail, and has a confirmed address that takes it."""
    follows = Follow.objects.filter(
        page=OuterRef("page"),
        user=OuterRef("recipient"),
        accepted_at__isnull=False,
        muted_at__isnull=True,
    )
    suppressions = Suppression.objects.filter(
        address=Lower(OuterRef("recipient__email")), lifted_at__isnull=True
    )
    wanted = Delivery.objects.filter(
        Exists(follows),
        visible_to_each("recipient", "page__"),
        ~Q(page__owner=F("recipient")),
        ~hidden("recipient__"),
        ~Exists(suppressions),
        ~Q(recipient__email_notifications=User.EmailNotifications.OFF),
        id__in=ids,
        recipient__email__isnull=False,
    )
    return set(wanted.values_list("id", flat=True))


def suppressed(addresses: Collection[str]) -> set[str]:
    """Those of these addresses, in lower case, that get no mail."""
    active = Suppression.objects.filter(address__in=addresses, lifted_at__isnull=True)
    return set(active.values_list("address", flat=True))


def is_suppressed(address: str, **_: Any) -> bool:
    """Answers a signal of accounts."""
    return bool(suppressed([address.lower()]))


def deliveries_to_write(ids: Collection[UUID]) -> list[Delivery]:
    """These, reader by reader and page by page, the oldest post first, with all that is needed to
    write the mails."""
    deliveries = Delivery.objects.filter(id__in=ids).select_related("post", "page", "recipient")
    return list(deliveries.order_by("recipient_id", "page_id", "post_id"))
