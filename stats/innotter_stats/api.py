"""The HTTP side of the statistics service: it reads what the consumer has counted."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import UUID

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.staticfiles import StaticFiles

from innotter_contracts.logs import REQUEST_ID_HEADER, configure_logs
from innotter_stats.errors import handle_errors
from innotter_stats.keys import KeyCache
from innotter_stats.metrics import serve
from innotter_stats.middleware import (
    HeadMiddleware,
    JWTMiddleware,
    RequestLogMiddleware,
    RequestSizeMiddleware,
    ResponseHeadersMiddleware,
    TrustedHostMiddleware,
    UnreadBodyMiddleware,
)
from innotter_stats.routes import document, health, statistics
from innotter_stats.settings import Settings
from innotter_stats.store import Store, create_client

# Seconds that the API may take to say whether it is ready.
PATIENCE = 3


def create_app(config: Settings) -> FastAPI:
    keys = KeyCache(config.jwks_url)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        configure_logs(service="stats", style=config.log_style, level=config.log_level)
        _quieten_uvicorn()
        app.state.store = Store(create_client(), config.statistics_table)
        app.state.keys = keys
        serve(config, is_ready=_asks(app))
        async with keys.kept_fresh():
            yield

    def is_blocked(user_id: UUID) -> bool:
        store: Store = app.state.store
        return store.is_blocked(user_id)

    app = FastAPI(
        title="Innotter statistics",
        version="1",
        description="What happened on a page, for its owner: in total and per UTC day.",
        lifespan=lifespan,
        # Paths have no trailing slash; one that does is unknown.
        redirect_slashes=False,
        # Swagger UI is served by `document`, from this machine.
        docs_url=None,
        redoc_url=None,
    )
    for routes in (statistics, health, document):
        app.include_router(routes.router)
    app.mount("/docs/assets", StaticFiles(directory=document.assets()))
    handle_errors(app)
    # The one that is added last is the outermost.
    app.add_middleware(
        JWTMiddleware,
        keys=keys,
        issuer=config.core_url,
        is_blocked=is_blocked,
    )
    if config.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=config.cors_origins,
            allow_headers=["Authorization"],
            expose_headers=["ETag", "Retry-After", REQUEST_ID_HEADER],
        )
    app.add_middleware(TrustedHostMiddleware, hosts=config.allowed_hosts)
    app.add_middleware(RequestSizeMiddleware)
    app.add_middleware(ResponseHeadersMiddleware)
    app.add_middleware(HeadMiddleware)
    app.add_middleware(UnreadBodyMiddleware)
    app.add_middleware(RequestLogMiddleware)
    app.openapi = lambda: document.document_of(app)  # type: ignore[method-assign]
    return app


def _asks(app: FastAPI) -> Callable[[], bool]:
    """For another thread: whether the running loop answers in time that nothing is missing."""
    loop = asyncio.get_running_loop()

    def is_ready() -> bool:
        asked = asyncio.run_coroutine_threadsafe(health.missing(app), loop)
        try:
            return not asked.result(PATIENCE)
        except TimeoutError:
            asked.cancel()
            return False

    return is_ready


def _quieten_uvicorn() -> None:
    """Its lines are formatted like ours; that of each request is RequestLogMiddleware's."""
    for name in ("uvicorn", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
    logging.getLogger("uvicorn").propagate = True
    # What strangers send that is no HTTP is no trouble of ours.
    logging.getLogger("uvicorn.error").addFilter(_warnings_are_information)


def _warnings_are_information(line: logging.LogRecord) -> bool:
    if line.levelno == logging.WARNING:
        line.levelno, line.levelname = logging.INFO, "INFO"
    return True
