"""Pages of which a process remembers all but the parts that are one reader's, or one moment's."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.contrib.messages import get_messages
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from innotter.web.shortcuts import maintenance_shown, member
from innotter.web.templatetags.web import TOKEN, encoded, rendered

# Stands for the id of who reads.
READER = SafeString("<reader>")


class FramedUser(NamedTuple):
    """What web/base.html asks of a user."""

    is_leaving: bool
    is_moderator: bool
    id: SafeString = READER
    is_authenticated: bool = True


class FramedRequest(NamedTuple):
    path: str


def framed(request: HttpRequest, template: str, parts: Mapping[str, bytes]) -> HttpResponse:
    """A page for a member. The template is given the parts by their names, and what kind of member
    reads. It is remembered by that, and by which parts there are: each is put in afterwards, in
    place of a mark that, as TOKEN, no text can say. TOKEN may stand in them, too."""
    me, language = member(request), get_language()
    marks = {name: SafeString(f"<{name}>") if part else "" for name, part in parts.items()}
    given: dict[str, Any] = {
        "LANGUAGE_CODE": language,
        "request": FramedRequest(request.path),
        "user": FramedUser(me.is_leaving, me.is_moderator),
        **marks,
    }
    said = {"messages": get_messages(request), "maintenance": maintenance_shown()}
    if any(said.values()):
        # It is for once, and isn't remembered.
        page = rendered.__wrapped__(template, language, **given, **said).encode()
    else:
        page = encoded(rendered(template, language, **given))
    page = page.replace(READER.encode(), str(me.id).encode())
    for name, mark in marks.items():
        if mark:
            page = page.replace(mark.encode(), parts[name])
    return HttpResponse(page.replace(TOKEN.encode(), get_token(request).encode()))
