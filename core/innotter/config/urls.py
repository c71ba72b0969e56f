from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.decorators.csp import csp_override
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from innotter.accounts.views.users import jwks
from innotter.common.views import METHODS
from innotter.config.health import live, ready

# Swagger UI writes styles into its elements.
with_inline_styles = {**settings.SECURE_CSP, "style-src": ["'self'", "'unsafe-inline'"]}

api: list[URLPattern | URLResolver] = [
    # Django tries one after the other: what is asked most comes first.
    path("", include("innotter.feed.urls")),
    path("", include("innotter.posts.urls")),
    path("", include("innotter.pages.urls")),
    path("", include("innotter.accounts.urls")),
    path("", include("innotter.mail.urls")),
    path("", include("innotter.moderation.urls")),
    path("", include("innotter.search.urls")),
    path("", include("innotter.exports.urls")),
    path("schema", SpectacularAPIView.as_view(http_method_names=METHODS), name="schema"),
    path(
        "docs",
        csp_override(with_inline_styles)(
            SpectacularSwaggerSplitView.as_view(url_name="schema", http_method_names=METHODS)
        ),
        name="docs",
    ),
]

urlpatterns = [
    path("api/v1/", include(api)),
    path(".well-known/jwks.json", jwks),
    path("health/live", live),
    path("health/ready", ready),
    path("admin/", admin.site.urls),
    path("", include("innotter.web.urls")),
]

handler400 = "innotter.common.problems.bad_request"
handler403 = "innotter.common.problems.forbidden"
handler404 = "innotter.common.problems.not_found"
handler500 = "innotter.common.problems.server_error"
