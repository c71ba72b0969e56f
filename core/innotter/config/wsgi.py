import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.core.wsgi import get_wsgi_application

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "innotter.config.settings")

api = get_wsgi_application()

from django.conf import settings  # noqa: E402 (settings come first)
from prometheus_client import make_wsgi_app  # noqa: E402

from innotter.common.metrics import registry  # noqa: E402

metrics = make_wsgi_app(registry())


def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    """The API; at the port of the metrics, which the public does not reach, these alone."""
    app = metrics if environ["SERVER_PORT"] == str(settings.METRICS_PORT) else api
    return app(environ, start_response)
