"""The HTTP side of the statistics service: it reads what the consumer has counted."""

import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from importlib.util import find_spec
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Security
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, Response
from fastapi.security import HTTPBearer
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from innotter_contracts.logs import configure_logs
from innotter_contracts.tokens import Claims
from innotter_stats import settings
from innotter_stats.errors import documented, handle_errors, problem_response, problem_schemas
from innotter_stats.keys import KeyCache, KeysUnavailable
from innotter_stats.middleware import JWTMiddleware, RequestLogMiddleware
from innotter_stats.schemas import Health, Statistics
from innotter_stats.settings import Settings
from innotter_stats.store import Store, StoreUnavailable, create_client

DEFAULT_DAYS = 30
MAX_DAYS = 366
# What a page's uuid looks like; anything else is no page's.
PAGE_UUID = re.compile(r"[A-Za-z0-9_-]{1,30}")


def create_app(config: Settings) -> FastAPI:
    keys = KeyCache(config.jwks_url)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        configure_logs(service="stats", style=config.log_style, level=config.log_level)
        _quieten_uvicorn()
        app.state.store = Store(create_client(), config.statistics_table)
        app.state.keys = keys
        yield

    def is_blocked(user_id: UUID) -> bool:
        store: Store = app.state.store
        return store.is_blocked(user_id)

    app = FastAPI(
        title="Innotter statistics",
        version="1",
        description="What happened on a page, for its owner: in total and per UTC day.",
        lifespan=lifespan,
        # Addresses have no trailing slash; one that does is unknown.
        redirect_slashes=False,
        # Swagger UI is served below, from this machine.
        docs_url=None,
        redoc_url=None,
    )
    app.include_router(statistics)
    app.include_router(health)
    app.include_router(docs)
    app.mount("/docs/assets", StaticFiles(directory=_swagger_ui()))
    handle_errors(app)
    # The one that is added last is the outermost.
    app.add_middleware(
        JWTMiddleware,
        keys=keys,
        issuer=config.core_url,
        is_blocked=is_blocked,
    )
    app.add_middleware(RequestLogMiddleware)
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]
    return app


# --- Statistics of a page


class Period(NamedTuple):
    """UTC days, both included."""

    first: date
    last: date


def current_user(
    request: Request,
    _: Annotated[Any, Security(HTTPBearer(scheme_name="access token", auto_error=False))],
) -> Claims:
    """Whom the middleware has verified; 401 for a stranger."""
    claims: Claims | None = request.state.claims
    if claims is None:
        raise HTTPException(401)
    return claims


def chosen_period(
    from_: Annotated[
        date | None, Query(alias="from", description="The first UTC day; 30 days up to `to`.")
    ] = None,
    to: Annotated[date | None, Query(description="The last UTC day, included; today.")] = None,
) -> Period:
    last = to or datetime.now(UTC).date()
    first = from_ or date.fromordinal(max(1, last.toordinal() - DEFAULT_DAYS + 1))
    if first > last:
        raise _invalid("from", "after_to", "Must not be later than 'to'.")
    if (last - first).days >= MAX_DAYS:
        raise _invalid("from", "too_long", f"A period has at most {MAX_DAYS} days.")
    return Period(first, last)


def the_store(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


statistics = APIRouter(prefix="/api/v1", tags=["statistics"])


@statistics.get(
    "/pages/{uuid}/statistics",
    summary="Statistics of a page",
    responses=documented(400, 401, 403, 404, 503),
)
def page_statistics(
    uuid: str,
    user: Annotated[Claims, Depends(current_user)],
    period: Annotated[Period, Depends(chosen_period)],
    store: Annotated[Store, Depends(the_store)],
) -> Statistics:
    """Totals and every day of the period, days without change too. For the page's owner only.

    At most 366 days. Upper and lower case of the page's `uuid` make no difference.
    """
    as_of = datetime.now(UTC)
    found = store.statistics(uuid, *period) if PAGE_UUID.fullmatch(uuid) else None
    if found is None:
        raise HTTPException(404, "There is no such page.")
    if found.owner_id != user.sub:
        raise HTTPException(403)
    return Statistics.of(found, *period, as_of=as_of)


def _invalid(field: str, code: str, detail: str) -> RequestValidationError:
    return RequestValidationError([{"loc": ("query", field), "type": code, "msg": detail}])


# --- Health

health = APIRouter(prefix="/health", tags=["health"])


@health.get("/live", summary="Is the process alive?", responses=documented())
async def live() -> Health:
    return Health(status="ok")


@health.get(
    "/ready",
    summary="Can it do its work?",
    response_model=Health,
    responses=documented(503),
)
async def ready(request: Request) -> Health | Response:
    """503 names the parts that are down: `table` (DynamoDB) or `keys` (the core's JWKS)."""
    store: Store = request.app.state.store
    keys: KeyCache = request.app.state.keys
    down = []
    try:
        await run_in_threadpool(store.check)
    except StoreUnavailable:
        down.append("table")
    try:
        await keys.check()
    except KeysUnavailable:
        down.append("keys")
    if down:
        return problem_response(503, code="not_ready", detail=f"Down: {', '.join(down)}.")
    return Health(status="ok")


# --- The document of this API, and a page to read it

docs = APIRouter(include_in_schema=False)


@docs.get("/docs")
async def swagger_ui() -> HTMLResponse:
    return get_swagger_ui_html(
        title="Innotter statistics",
        openapi_url="/openapi.json",
        swagger_js_url="/docs/assets/swagger-ui-bundle.js",
        swagger_css_url="/docs/assets/swagger-ui.css",
        swagger_favicon_url="/docs/assets/favicon-32x32.png",
    )


def _swagger_ui() -> str:
    """Where Swagger UI's files lie. Found without importing the package, which wants Django."""
    spec = find_spec("drf_spectacular_sidecar")
    assert spec
    assert spec.submodule_search_locations
    return f"{spec.submodule_search_locations[0]}/static/drf_spectacular_sidecar/swagger-ui-dist"


def _document(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        app.openapi_schema = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        app.openapi_schema["components"]["schemas"].update(problem_schemas())
    return app.openapi_schema


def _quieten_uvicorn() -> None:
    """Its lines take the same road as ours; that of each request is RequestLogMiddleware's."""
    for name in ("uvicorn", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
    logging.getLogger("uvicorn").propagate = True


app = create_app(settings.load())
