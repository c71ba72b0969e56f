from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from kombu.exceptions import OperationalError

from innotter.common.admin import SEARCHED_ROWS, ReadOnlyAdmin, newest, with_id
from innotter.events.dead_letters import (
    DeadLetterNotFound,
    count_dead_letters,
    dead_letters,
    replay,
)
from innotter.events.models import OutboxEvent
from innotter.events.services import requeue
from innotter_contracts.events import QUEUES

# Of each queue.
DEAD_LETTERS_SHOWN = 50

STATES: dict[str, dict[str, Any]] = {
    "waiting": {"published_at": None, "next_attempt_at": None},
    "deferred": {"published_at": None, "next_attempt_at__isnull": False},
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
        "next_attempt_at",
        "attempts",
        "error",
    )
    list_filter = (StateFilter,)
    search_help_text = (
        f"A part of the type of the newest {SEARCHED_ROWS:,} events, or an event's id."
    )
    actions = ("requeue",)
    change_list_template = "events/outbox.html"

    def found_by(self, word: str) -> Q:
        return with_id(word) | (newest(OutboxEvent) & Q(type__icontains=word))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.dead_letters)
        return [path("dead-letters/", view, name="dead_letters"), *super().get_urls()]

    @admin.action(description="Requeue deferred events")
    def requeue(self, request: HttpRequest, chosen: QuerySet[OutboxEvent]) -> None:
        count = requeue(chosen.values_list("id", flat=True))
        self.message_user(request, f"Requeued: {count}.", messages.SUCCESS)

    def dead_letters(self, request: HttpRequest) -> HttpResponse:
        """What lies in the dead-letter queues. A POST replays a `queue`, or one `id` of it."""
        if request.method == "POST":
            self._replay(request)
            return HttpResponseRedirect(reverse("admin:dead_letters"))
        queues = []
        try:
            for queue in QUEUES:
                letters = dead_letters(settings.AMQP_URL, queue, limit=DEAD_LETTERS_SHOWN)
                queues.append((queue, count_dead_letters(settings.AMQP_URL, queue), letters))
        except OperationalError as error:
            self._away(request, error)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Dead letters",
            "queues": queues,
        }
        return TemplateResponse(request, "events/dead_letters.html", context)

    def _replay(self, request: HttpRequest) -> None:
        queue = request.POST.get("queue")
        if queue not in QUEUES:
            raise Http404
        try:
            count = replay(settings.AMQP_URL, queue, message_id=request.POST.get("id"))
            self.message_user(request, f"Replayed: {count}.", messages.SUCCESS)
        except DeadLetterNotFound:
            self.message_user(request, "It is no longer there.", messages.ERROR)
        except OperationalError as error:
            self._away(request, error)

    def _away(self, request: HttpRequest, error: OperationalError) -> None:
        self.message_user(request, f"RabbitMQ does not answer: {error}", messages.ERROR)
