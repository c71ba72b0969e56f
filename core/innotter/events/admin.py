from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from innotter.common.admin import SEARCHED_ROWS, ReadOnlyAdmin, newest, with_id
from innotter.common.errors import DomainError
from innotter.events.dead_letters import (
    BrokerUnavailable,
    dead_letters,
    discard,
    replay,
)
from innotter.events.models import DiscardedLetter, OutboxEvent
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
        """What lies in the dead-letter queues. A POST replays a `queue`, or one `id` of it; or
        with a `reason` throws it away."""
        if request.method == "POST":
            self._handle(request)
            return HttpResponseRedirect(reverse("admin:dead_letters"))
        queues = []
        try:
            for queue in QUEUES:
                found = dead_letters(settings.AMQP_URL, queue, limit=DEAD_LETTERS_SHOWN)
                queues.append((queue, *found))
        except BrokerUnavailable as error:
            self.message_user(request, str(error), messages.ERROR)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Dead letters",
            "queues": queues,
        }
        return TemplateResponse(request, "events/dead_letters.html", context)

    def _handle(self, request: HttpRequest) -> None:
        queue, one, reason = map(request.POST.get, ("queue", "id", "reason"))
        if queue not in QUEUES:
            raise Http404
        try:
            if reason is None:
                count = replay(settings.AMQP_URL, queue, message_id=one)
                done = f"Replayed: {count}."
            else:
                count = discard(
                    settings.AMQP_URL, queue, reason=reason, by=request.user.pk, message_id=one
                )
                done = f"Thrown away: {count}."
        except DomainError as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            self.message_user(request, done, messages.SUCCESS)


@admin.register(DiscardedLetter)
class DiscardedLetterAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "queue", "type", "letter_id", "died_of", "reason", "by")
    search_help_text = f"A part of the id or the type, among the newest {SEARCHED_ROWS:,}."

    def found_by(self, word: str) -> Q:
        part = Q(letter_id__icontains=word) | Q(type__icontains=word)
        return newest(DiscardedLetter) & part

    @admin.display(description="by")
    def by(self, letter: DiscardedLetter) -> str:
        return str(letter.discarded_by or "the operator")
