"""What the routes are given: who asks, for which days, and where the answer is."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, NamedTuple

from fastapi import Depends, Header, Query, Request, Security
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPBearer
from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError
from starlette.exceptions import HTTPException

from innotter_contracts.tokens import Claims
from innotter_stats.charts import LANGUAGES, Language
from innotter_stats.schemas import Statistics
from innotter_stats.store import Store

DEFAULT_DAYS = 30
MAX_DAYS = 366
# What a page's uuid looks like; anything else is no page's.
PAGE_UUID = re.compile(r"[A-Za-z0-9_-]{1,30}")


def the_store(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


def current_user(
    request: Request,
    _: Annotated[Any, Security(HTTPBearer(scheme_name="access token", auto_error=False))],
) -> Claims:
    """Whom the middleware has verified; 401 for a stranger."""
    claims: Claims | None = request.state.claims
    if claims is None:
        raise HTTPException(401)
    return claims


class Period(NamedTuple):
    """UTC days, both included."""

    first: date
    last: date


def _day(given: object) -> object:
    """Pydantic alone would take a number of seconds for a day too."""
    if isinstance(given, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", given):
        try:
            return date.fromisoformat(given)
        except ValueError:
            pass
    raise PydanticCustomError("invalid_date", "Must be a day of the calendar, as 2026-11-20.")


type Day = Annotated[date | None, BeforeValidator(_day)]


def chosen_period(
    from_: Annotated[
        Day, Query(alias="from", description="The first UTC day; 30 days up to `to`.")
    ] = None,
    to: Annotated[Day, Query(description="The last UTC day, included; today.")] = None,
) -> Period:
    last = to or datetime.now(UTC).date()
    first = from_ or date.fromordinal(max(1, last.toordinal() - DEFAULT_DAYS + 1))
    if first > last:
        raise _invalid("from", "after_to", "Must not be later than 'to'.")
    if (last - first).days >= MAX_DAYS:
        raise _invalid("from", "too_long", f"A period has at most {MAX_DAYS} days.")
    return Period(first, last)


def owned_statistics(
    uuid: str,
    user: Annotated[Claims, Depends(current_user)],
    period: Annotated[Period, Depends(chosen_period)],
    store: Annotated[Store, Depends(the_store)],
) -> Statistics:
    """Of a page that is the caller's own: 404 where there is none, 403 where it is another's."""
    as_of = datetime.now(UTC)
    found = store.statistics(uuid, *period) if PAGE_UUID.fullmatch(uuid) else None
    if found is None:
        raise HTTPException(404, "Page not found.")
    if found.owner_id != user.sub:
        raise HTTPException(403)
    return Statistics.of(found, *period, as_of=as_of)


def chosen_language(
    lang: Annotated[Language | None, Query(description="Before `Accept-Language`.")] = None,
    accept_language: Annotated[str, Header(include_in_schema=False)] = "",
) -> Language:
    """The one that the caller likes best; English where none of ours is liked."""
    if lang is not None:
        return lang
    # Sorted, so that of `ru-RU, ru;q=0.9` the higher quality stays.
    qualities = dict(sorted(map(_language_and_quality, accept_language.split(","))))
    return max(LANGUAGES, key=lambda language: qualities.get(language, 0))


def _language_and_quality(part: str) -> tuple[str, float]:
    """`ru-RU;q=0.8` as ('ru', 0.8)."""
    tag, _, quality = part.partition(";")
    number = re.fullmatch(r"\s*q=([01](?:\.[0-9]{0,3})?)\s*", quality)
    return tag.strip().lower().partition("-")[0], float(number[1]) if number else 1


def _invalid(field: str, code: str, detail: str) -> RequestValidationError:
    return RequestValidationError([{"loc": ("query", field), "type": code, "msg": detail}])
