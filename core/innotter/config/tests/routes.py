"""Every route of the API, as the URLconf has it, and a body that each takes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.admindocs.views import simplify_regex
from django.urls import URLPattern, URLResolver
from django.utils import timezone

from innotter.config import urls
from innotter.conftest import PASSWORD

# They describe the API and are no part of it.
DESCRIPTIONS = {"schema", "docs"}


@dataclass(frozen=True)
class Route:
    """A method of a path; the path begins below /api/v1."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def routes() -> list[Route]:
    """In the order of their paths."""
    found = {
        Route(method.upper(), path)
        for pattern, path in _paths(urls.api)
        if pattern.name not in DESCRIPTIONS
        for method in pattern.callback.actions  # type: ignore[attr-defined] # of a ViewSet
        if method != "head"
    }
    return sorted(found, key=lambda route: (route.path, route.method))


def _paths(
    patterns: Iterable[URLPattern | URLResolver], above: str = ""
) -> Iterator[tuple[URLPattern, str]]:
    for pattern in patterns:
        own = above + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _paths(pattern.url_patterns, own)
        else:
            path = simplify_regex(own).replace("<", "{").replace(">", "}")
            yield pattern, "/" + path.lstrip("/")


def tomorrow() -> datetime:
    return timezone.now() + timedelta(days=1)


def bodies(*, refresh: str) -> dict[str, dict[str, Any]]:
    """By route. `refresh` is a token that is good."""
    return {
        "POST /auth/register": {
            "username": "newcomer",
            "email": "newcomer@example.com",
            "password": PASSWORD,
        },
        "POST /auth/login": {"login": "target", "password": PASSWORD},
        "POST /auth/refresh": {"refresh": refresh},
        "POST /auth/logout": {"refresh": refresh},
        "PATCH /users/me": {"title": "Another title"},
        "POST /users/{username}/block": {"reason": "Spam"},
        "PUT /users/{username}/role": {"role": "moderator"},
        "POST /pages": {"name": "A new page", "uuid": "new"},
        "PATCH /pages/{uuid}": {"name": "Another name"},
        "POST /pages/{uuid}/block": {"until": tomorrow().isoformat()},
        "POST /pages/{uuid}/follow-requests/accept": {"all": True},
        "POST /pages/{uuid}/follow-requests/reject": {"all": True},
        "POST /pages/{uuid}/posts": {"content": "Hello again"},
        "PATCH /posts/{id}": {"content": "Other words"},
    }
