from typing import ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.text import Truncator

from innotter.common.admin import ReadOnlyAdmin
from innotter.mail import services
from innotter.mail.models import Delivery, Suppression


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
    search_fields: ClassVar = ["recipient__username", "recipient__email", "page__uuid"]
    actions = ("send_again",)

    @admin.action(description="Send again what failed or is in doubt")
    def send_again(self, request: HttpRequest, chosen: QuerySet[Delivery]) -> None:
        count = services.send_again(chosen.values_list("id", flat=True))
        self.message_user(request, f"Waiting again: {count}.", messages.SUCCESS)

    @admin.display(description="page")
    def address(self, delivery: Delivery) -> str:
        return delivery.page.uuid

    @admin.display(description="post")
    def opening(self, delivery: Delivery) -> str:
        return Truncator(delivery.post.content).chars(60)


@admin.register(Suppression)
class SuppressionAdmin(ReadOnlyAdmin):
    list_display = ("address", "reason", "happened_at", "lifted_at", "detail")
    list_filter = ("reason", ("lifted_at", admin.EmptyFieldListFilter))
    search_fields: ClassVar = ["address"]
    actions = ("lift",)

    @admin.action(description="Lift: try these addresses again")
    def lift(self, request: HttpRequest, chosen: QuerySet[Suppression]) -> None:
        count = services.lift_suppressions(chosen.values_list("id", flat=True))
        self.message_user(request, f"Lifted: {count}.", messages.SUCCESS)
