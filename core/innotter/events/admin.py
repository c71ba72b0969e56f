from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from innotter.common.admin import ReadOnlyAdmin
from innotter.events.models import OutboxEvent


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("waiting", "waiting"), ("published", "published")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[OutboxEvent]
    ) -> QuerySet[OutboxEvent]:
        if self.value() is None:
            return queryset
        return queryset.filter(published_at__isnull=self.value() == "waiting")


@admin.register(OutboxEvent)
class OutboxEventAdmin(ReadOnlyAdmin):
    list_display = ("type", "id", "occurred_at", "published_at")
    list_filter = (StateFilter,)
    search_fields: ClassVar = ["type", "id__exact"]
