from functools import lru_cache

from django.conf import settings
from django.contrib import admin
from django.urls import ResolverMatch, URLPattern, URLResolver, include, path
from django.urls.resolvers import RoutePattern
from django.views.decorators.csp import csp_override
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from innotter.accounts.views.users import jwks
from innotter.common.views import METHODS
from innotter.config.health import live, ready

# Of paths, so many are remembered, in a kilobyte each.
KNOWN_PATHS = 1000

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

routes: list[URLPattern | URLResolver] = [
    path("api/v1/", include(api)),
    path(".well-known/jwks.json", jwks),
    path("health/live", live),
    path("health/ready", ready),
    path("admin/", admin.site.urls),
    path("", include("innotter.web.urls")),
]


class Remembering(URLResolver):
    """Django tries one route after the other. What a path has led to is known the next time; each
    request gets a match of its own, which the resolver above makes of it."""

    @lru_cache(KNOWN_PATHS)  # noqa: B019 (there is one of it, as long as the process lives)
    def resolve(self, path: str) -> ResolverMatch:
        return super().resolve(path)


urlpatterns = [Remembering(RoutePattern(""), routes)]

handler400 = "innotter.common.problems.bad_request"
handler403 = "innotter.common.problems.forbidden"
handler404 = "innotter.common.problems.not_found"
handler500 = "innotter.common.problems.server_error"
