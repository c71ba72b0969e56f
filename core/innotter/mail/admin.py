from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.text import Truncator

from innotter.common.admin import ReadOnlyAdmin
from innotter.mail.models import Delivery


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("waiting", "waiting"), ("sent", "sent")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        if self.value() is None:
            return queryset
        return queryset.filter(sent_at__isnull=self.value() == "waiting")


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    list_display = ("recipient", "address", "opening", "created_at", "sent_at")
    list_filter = (StateFilter,)
    list_select_related = ("recipient", "page", "post")
    search_fields: ClassVar = ["recipient__username", "recipient__email", "page__uuid"]

    @admin.display(description="page")
    def address(self, delivery: Delivery) -> str:
        return delivery.page.uuid

    @admin.display(description="post")
    def opening(self, delivery: Delivery) -> str:
        return Truncator(delivery.post.content).chars(60)
