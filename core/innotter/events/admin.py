from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from innotter.common.admin import ReadOnlyAdmin
from innotter.events.models import OutboxEvent
from innotter.events.services import put_back

STATES: dict[str, dict[str, Any]] = {
    "waiting": {"published_at": None, "set_aside_until": None},
    "set aside": {"published_at": None, "set_aside_until__isnull": False},
    "published": {"published_at__isnull": False},
}


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state, state) for state in STATES]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[OutboxEvent]
    ) -> QuerySet[OutboxEvent]:
        return queryset.filter(**STATES.get(self.value() or "", {}))


@admin.register(OutboxEvent)
class OutboxEventAdmin(ReadOnlyAdmin):
    list_display = (
        "type",
        "id",
        "occurred_at",
        "published_at",
        "set_aside_until",
        "attempts",
        "error",
    )
    list_filter = (StateFilter,)
    search_fields: ClassVar = ["type", "id__exact"]
    actions = ("put_back",)

    @admin.action(description="Put back what is set aside")
    def put_back(self, request: HttpRequest, chosen: QuerySet[OutboxEvent]) -> None:
        count = put_back(chosen.values_list("id", flat=True))
        self.message_user(request, f"Put back: {count}.", messages.SUCCESS)
