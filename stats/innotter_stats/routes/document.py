"""The document of this API, and a page to read it."""

import base64
import hashlib
import re
from importlib.util import find_spec
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse

from innotter_stats.errors import problem_schemas

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def swagger_ui() -> HTMLResponse:
    page = get_swagger_ui_html(
        title="Innotter statistics",
        openapi_url="/openapi.json",
        swagger_js_url="/docs/assets/swagger-ui-bundle.js",
        swagger_css_url="/docs/assets/swagger-ui.css",
        swagger_favicon_url="/docs/assets/favicon-32x32.png",
    )
    # The one script that stands in the page itself, and no other.
    (script,) = re.findall(rb"<script>(.*?)</script>", bytes(page.body), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script).digest()).decode()
    page.headers["Content-Security-Policy"] = (
        f"default-src 'none'; script-src 'self' 'sha256-{digest}'; img-src 'self' data:; "
        "style-src 'self' 'unsafe-inline'; font-src 'self'; connect-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
    return page


def assets() -> str:
    """Where Swagger UI's files lie. Found without importing the package, which wants Django."""
    spec = find_spec("drf_spectacular_sidecar")
    assert spec
    assert spec.submodule_search_locations
    return f"{spec.submodule_search_locations[0]}/static/drf_spectacular_sidecar/swagger-ui-dist"


def document_of(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        app.openapi_schema = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        app.openapi_schema["components"]["schemas"].update(problem_schemas())
    return app.openapi_schema
