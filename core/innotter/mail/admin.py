from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.text import Truncator

from innotter.accounts.models import AccountMail, User
from innotter.common.admin import ReadOnlyAdmin
from innotter.mail.models import Delivery, Suppression
from innotter.mail.queueing import send_again
from innotter.mail.suppressions import lift_suppressions
from innotter.pages.models import Page


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    list_display = (
        "recipient",
        "address",
        "opening",
        "state",
        "created_at",
        "due_at",
        "sent_at",
        "attempts",
        "error",
    )
    list_filter = ("state",)
    list_select_related = ("recipient", "page", "post")
    search_help_text = "The recipient's whole username or e-mail address, or a page's whole uuid."
    actions = ("send_again",)

    def found_by(self, word: str) -> Q:
        """By ids, each of which an index of the deliveries has."""
        name = word.lower()
        by_name = User.objects.filter(username__lower=name).values("id")[:1]
        by_email = User.objects.filter(email__lower=name).values("id")[:1]
        page = Page.objects.filter(uuid__lower=name).values("id")[:1]
        return Q(recipient=by_name) | Q(recipient=by_email) | Q(page=page)

    @admin.action(description="Send again what failed or has an unknown outcome")
    def send_again(self, request: HttpRequest, chosen: QuerySet[Delivery]) -> None:
        count = send_again(chosen.values_list("id", flat=True))
        self.message_user(request, f"Waiting again: {count}.", messages.SUCCESS)

    @admin.display(description="page")
    def address(self, delivery: Delivery) -> str:
        return delivery.page.uuid

    @admin.display(description="post")
    def opening(self, delivery: Delivery) -> str:
        return Truncator(delivery.post.content).chars(60)


@admin.register(AccountMail)
class AccountMailAdmin(ReadOnlyAdmin):
    """Mails about accounts; what they say, and the links in them, is stored nowhere."""

    list_display = (
        "user",
        "address",
        "kind",
        "state",
        "created_at",
        "sent_at",
        "attempts",
        "error",
    )
    list_filter = ("state",)
    list_select_related = ("user",)
    search_help_text = "The whole username."

    def found_by(self, word: str) -> Q:
        return Q(user=User.objects.filter(username__lower=word.lower()).values("id")[:1])


@admin.register(Suppression)
class SuppressionAdmin(ReadOnlyAdmin):
    list_display = ("address", "reason", "happened_at", "lifted_at", "detail")
    list_filter = ("reason", ("lifted_at", admin.EmptyFieldListFilter))
    search_help_text = "The beginning of the address."
    actions = ("lift",)

    def found_by(self, word: str) -> Q:
        return Q(address__startswith=word.lower())

    @admin.action(description="Lift: try these addresses again")
    def lift(self, request: HttpRequest, chosen: QuerySet[Suppression]) -> None:
        count = lift_suppressions(chosen.values_list("id", flat=True))
        self.message_user(request, f"Lifted: {count}.", messages.SUCCESS)
