from datetime import UTC, date, datetime, timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from innotter.web.shortcuts import leads_on, member, members_only, read_only
from innotter.web.statistics_service import StatisticsUnavailable, chart_of, statistics_of
from innotter.web.views.pages import own_page

RANGES = (7, 30, 90, 365)
METRICS = {
    "posts": _("Posts"),
    "replies": _("Replies written"),
    "replies_received": _("Replies received"),
    "likes": pgettext_lazy("statistics", "Likes"),
    "followers": _("Followers"),
    "follow_requests": _("Follow requests"),
}


@read_only
@members_only
@leads_on
def statistics(request: HttpRequest, uuid: str) -> HttpResponse:
    """The owner's charts, and a table of the same figures. It says so when they are away."""
    page, days = own_page(request, uuid), _days(request)
    try:
        found = statistics_of(page.uuid, member(request), _period(days))
    except StatisticsUnavailable:
        found = None
    context = {
        "page": page,
        "days": days,
        "ranges": RANGES,
        "totals": [(name, label, found["totals"][name]) for name, label in METRICS.items()]
        if found
        else [],
        "metrics": METRICS,
        "table": [
            (date.fromisoformat(day["date"]), [day[name] for name in METRICS])
            for day in reversed(found["daily"])
        ]
        if found
        else [],
    }
    return render(request, "web/statistics.html", context)


@read_only
@members_only
def chart(request: HttpRequest, uuid: str) -> HttpResponse:
    """The picture that the statistics service draws, passed on. Raises StatisticsUnavailable."""
    page = own_page(request, uuid)
    metric = request.GET.get("metric", "")
    query = {
        **_period(_days(request)),
        "metric": metric if metric in METRICS else "posts",
        "size": "narrow" if request.GET.get("size") == "narrow" else "wide",
    }
    answer = chart_of(page.uuid, member(request), query, get_language() or "en")
    return HttpResponse(answer.body, content_type=answer.content_type)


def _days(request: HttpRequest) -> int:
    asked = request.GET.get("days")
    return next((days for days in RANGES if str(days) == asked), 30)


def _period(days: int) -> dict[str, str]:
    today = datetime.now(UTC).date()
    return {"from": (today - timedelta(days=days - 1)).isoformat(), "to": today.isoformat()}
