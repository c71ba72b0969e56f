"""What goes of mail with an account; see the app `deletion`."""

from innotter.accounts.account_mail import owe_mail
from innotter.accounts.models import AccountMail, User
from innotter.common.emails import folded_email
from innotter.mail.models import Delivery, Suppression
from innotter.mail.selectors import suppressed


def forget_some_deliveries(*, reader: User, at_once: int) -> int:
    """How many."""
    some = Delivery.objects.filter(recipient=reader).values_list("pk", flat=True)[:at_once]
    return Delivery.objects.filter(pk__in=list(some)).delete()[0]


def say_farewell(*, user: User) -> None:
    """The last mail to a mailbox that takes mail; whether it does is then forgotten. In the
    transaction in which the account goes."""
    if user.email and not suppressed({user.email.lower()}):
        owe_mail(kind=AccountMail.Kind.GONE, user=None, address=user.email, language=user.language)
    mailboxes = {folded_email(each) for each in (user.email, user.pending_email) if each}
    Suppression.objects.filter(address__in=mailboxes).delete()


def forget_farewells() -> int:
    """The addresses of those that have left, or cannot; how many."""
    over = AccountMail.objects.filter(kind=AccountMail.Kind.GONE)
    return over.exclude(state=AccountMail.State.WAITING).delete()[0]
