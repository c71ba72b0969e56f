from fastapi import APIRouter, FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from innotter_stats.errors import documented, problem_response
from innotter_stats.keys import KeyCache, KeysUnavailable
from innotter_stats.schemas import Health
from innotter_stats.store import Store, StoreUnavailable

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live", summary="Is the process alive?", responses=documented())
async def live() -> Health:
    return Health(status="ok")


@router.get(
    "/ready",
    summary="Can it do its work?",
    response_model=Health,
    responses=documented(503),
)
async def ready(request: Request) -> Health | Response:
    """503 names the dependencies that are down: `table` (DynamoDB) or `keys` (the core's JWKS)."""
    if down := await missing(request.app):
        return problem_response(503, code="not_ready", detail=f"Down: {', '.join(down)}.")
    return Health(status="ok")


async def missing(app: FastAPI) -> list[str]:
    """Of what the API cannot serve without."""
    store: Store = app.state.store
    keys: KeyCache = app.state.keys
    down = []
    try:
        await run_in_threadpool(store.check)
    except StoreUnavailable:
        down.append("table")
    try:
        keys.known()
    except KeysUnavailable:
        down.append("keys")
    return down
