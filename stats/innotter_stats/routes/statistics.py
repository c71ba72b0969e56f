"""Statistics of a page, as numbers and as a chart. For the page's owner only."""

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Response

from innotter_contracts.events import Metric
from innotter_stats.charts import Language, Size, draw
from innotter_stats.dependencies import chosen_language, owned_statistics
from innotter_stats.errors import documented
from innotter_stats.schemas import Statistics

router = APIRouter(prefix="/api/v1", tags=["statistics"])

type Owned = Annotated[Statistics, Depends(owned_statistics)]
type Known = Annotated[
    str, Header(alias="If-None-Match", description="An `ETag` of before; 304 if it still holds.")
]
# Nothing that a chart could be made to hold would run, load or be taken for something else.
CHART_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "X-Content-Type-Options": "nosniff",
}
# No cache keeps them; a program that does by itself may ask whether they still hold.
PRIVATE = {"Cache-Control": "no-store"}
NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    304: {"description": "Nothing has changed since the answer with that `ETag`."}
}


@router.get(
    "/pages/{uuid}/statistics",
    summary="Statistics of a page",
    response_model=Statistics,
    responses={**NOT_MODIFIED, **documented(400, 401, 403, 404, 503)},
)
def page_statistics(response: Response, found: Owned, known: Known = "") -> Statistics | Response:
    """Totals and every day of the period, days without change too. For the page's owner only.

    At most 366 days. Upper and lower case of the page's `uuid` make no difference.
    """
    headers = {**PRIVATE, "ETag": _etag(found)}
    if _holds(headers["ETag"], known):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return found


class Chart(Response):
    media_type = "image/svg+xml"


@router.get(
    "/pages/{uuid}/statistics.svg",
    summary="One of a page's statistics as a chart",
    response_class=Chart,
    responses={
        200: {"content": {"image/svg+xml": {"schema": {"type": "string"}, "example": "<svg/>"}}},
        **NOT_MODIFIED,
        **documented(400, 401, 403, 404, 503),
    },
)
def page_chart(
    found: Owned,
    language: Annotated[Language, Depends(chosen_language)],
    metric: Annotated[Metric, Query(description="What is drawn.")] = "followers",
    size: Annotated[Size, Query(description="For a screen, or for a phone.")] = "wide",
    known: Known = "",
) -> Response:
    """The change of each day as a bar. For the page's owner only.

    The words are English or Russian; the colours follow the reader's light or dark mode.
    """
    headers = {
        **PRIVATE,
        **CHART_HEADERS,
        "ETag": _etag(found, metric, language, size),
        "Content-Language": language,
        "Vary": "Accept-Language",
    }
    if _holds(headers["ETag"], known):
        return Response(status_code=304, headers=headers)
    return Chart(draw(found, metric, language, size), headers=headers)


def _etag(found: Statistics, *form: str) -> str:
    """Weak: two answers with the same numbers differ in their `as_of`."""
    shown = " ".join([*form, found.model_dump_json(exclude={"as_of"})])
    return f'W/"{hashlib.sha256(shown.encode()).hexdigest()[:32]}"'


def _holds(etag: str, known: str) -> bool:
    """RFC 9110: weak or not makes no difference here, and `*` is any answer."""
    tags = {tag.strip().removeprefix("W/") for tag in known.split(",")}
    return bool(tags & {"*", etag.removeprefix("W/")})
