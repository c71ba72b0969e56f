"""What belongs to a site beside its pages: for robots, readers of feeds and mails, other sites."""

import re
from typing import Any
from urllib.parse import urljoin
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.utils import translation
from django.utils.feedgenerator import Atom1Feed

from innotter.common.pagination import Window
from innotter.common.text import cut, one_line
from innotter.mail.selectors import subscription_of
from innotter.mail.subscriptions import resume_mails, stop_all_mails, stop_mails
from innotter.media.storage import image_url
from innotter.pages.selectors import open_page_at
from innotter.posts.selectors import post_at, posts_of
from innotter.web.shortcuts import leads_on, read_only, readable_form, see_other
from innotter.web.templatetags.web import absolute, page_url, post_url

# What is public is what somebody who is not logged in may see.
STRANGER = AnonymousUser()
NEWEST = 20
LONGEST_HEADING = 60
POST_URL = re.compile(r"/@[A-Za-z0-9_-]{1,30}/(?P<id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
# For a browser's tool bar, where no page says its own.
PAPER, ACCENT = "#f7f6f3", "#0b665c"


@read_only
def text(request: HttpRequest, name: str) -> HttpResponse:
    """`name` is about, privacy or terms: in the operator's words (SITE_TEMPLATES), or in ours."""
    return render(request, f"web/{name}.html", {"indexed": True})


@read_only
def robots(request: HttpRequest) -> HttpResponse:
    closed = ("/api/", "/admin/", "/settings", "/login", "/register", "/search?", "/moderation")
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in closed)]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")


@read_only
def manifest(request: HttpRequest) -> HttpResponse:
    """https://www.w3.org/TR/appmanifest/"""
    icons = [
        {"src": static(f"web/icon-{n}.png"), "sizes": f"{n}x{n}", "type": "image/png"}
        for n in (192, 512)
    ]
    answer = {
        "id": "/",
        "name": "Innotter",
        "short_name": "Innotter",
        "start_url": "/",
        "display": "standalone",
        "background_color": PAPER,
        "theme_color": ACCENT,
        "icons": [
            {"src": static("web/icon.svg"), "sizes": "any", "type": "image/svg+xml"},
            *icons,
            *({**icon, "purpose": "maskable"} for icon in icons),
        ],
    }
    return JsonResponse(answer, content_type="application/manifest+json")


@read_only
def favicon(request: HttpRequest) -> HttpResponse:
    return see_other(static("web/icon-192.png"))


@read_only
def change_password(request: HttpRequest) -> HttpResponse:
    """https://w3c.github.io/webappsec-change-password-url/"""
    return see_other("/settings#password")


@read_only
@leads_on
def atom(request: HttpRequest, uuid: str) -> HttpResponse:
    """The newest posts of a public page (RFC 4287). Raises NotFound, PagePrivate."""
    page = open_page_at(uuid, STRANGER)
    feed = Atom1Feed(
        title=page.name,
        link=absolute(page_url(page)),
        feed_url=absolute(f"{page_url(page)}.atom"),
        description="",
        subtitle=one_line(page.description) or None,
        feed_guid=f"urn:uuid:{page.id}",
        icon=image_url(page.image_id) if page.image_id else None,
    )
    for post in posts_of(uuid, STRANGER, Window(NEWEST)):
        words = _xml(post.content)
        feed.add_item(
            title=cut(one_line(words), LONGEST_HEADING),
            link=absolute(post_url(post)),
            description=words,
            unique_id=f"urn:uuid:{post.id}",
            pubdate=post.created_at,
            updateddate=post.updated_at,
            author_name=page.name,
        )
    words = feed.writeString("utf-8")
    return HttpResponse(words, content_type="application/atom+xml; charset=utf-8")


@read_only
def oembed(request: HttpRequest) -> HttpResponse:
    """A public post as other sites embed it: of type `link`, with its words (https://oembed.com).
    Raises NotFound, PagePrivate."""
    url = request.GET.get("url", "")
    if not url.startswith(settings.CORE_URL.rstrip("/") + "/"):
        raise Http404
    found = POST_URL.fullmatch(url.removeprefix(settings.CORE_URL.rstrip("/")))
    if not found:
        raise Http404
    if request.GET.get("format", "json") != "json":
        return HttpResponse(status=501)
    post = post_at(UUID(found["id"]), STRANGER)
    answer: dict[str, Any] = {
        "version": "1.0",
        "type": "link",
        "title": post.content,
        "author_name": post.page.name,
        "author_url": absolute(page_url(post.page)),
        "provider_name": "Innotter",
        "provider_url": urljoin(settings.CORE_URL, "/"),
        "cache_age": 300,
    }
    return JsonResponse(answer)


@readable_form
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """The mails about one page, stopped or wanted again, or all of them, stopped; who holds the
    link may. Opening it changes nothing: scanners open links."""
    found = subscription_of(token)
    if request.method == "POST":
        change = resume_mails if "resume" in request.POST else stop_mails
        if found.reader and found.everything:
            stop_all_mails(reader=found.reader)
        elif found.reader and found.page:
            change(reader=found.reader, page=found.page)
        return see_other(request.path)
    language = found.reader.language if found.reader else translation.get_language()
    with translation.override(language):
        return render(request, "web/unsubscribe.html", {"subscription": found})


def _xml(text: str) -> str:
    """Without the control characters that no XML may hold, of posts that have them."""
    return "".join(each for each in text if each in "\n\t\r" or each >= " ")
