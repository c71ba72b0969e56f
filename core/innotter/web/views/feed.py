from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import escape
from django.utils.translation import gettext as _

from innotter.common.pagination import Window
from innotter.feed.selectors import feed_of, new_in_feed, next_question
from innotter.pages.selectors import writable_by
from innotter.posts.selectors import newest_posts
from innotter.web.forms import PostForm
from innotter.web.frames import framed
from innotter.web.listing import listing
from innotter.web.shortcuts import (
    POSTED,
    member,
    read_only,
    readable_form,
    see_other,
    to_login,
    written,
)
from innotter.web.templatetags.posts import composer_for, posts_of
from innotter.web.templatetags.web import encoded

# More new posts than this are not counted.
MOST_NEW = 20


@readable_form
def home(request: HttpRequest) -> HttpResponse:
    """One's feed with the composer above it; for strangers what this place is."""
    if not request.user.is_authenticated:
        return to_login(request) if request.method == "POST" else welcome(request)
    me = member(request)
    pages = writable_by(me)
    form = PostForm(request.POST, pages=pages) if request.method == "POST" else None
    if form and form.is_valid() and written(request, form):
        messages.success(request, _("Posted."), extra_tags=POSTED)
        return see_other("/")
    text, chosen = request.GET.get("text", ""), request.GET.get("as", "")
    posts = listing(request, lambda w: feed_of(me, w))
    parts = {
        "composer": composer_for(pages, form, text=text, chosen=chosen).encode(),
        "newest": posts.newest.encode(),
        "newer": escape(posts.newer).encode(),
        "next": escape(posts.next).encode(),
        "posts": b"".join(map(encoded, posts_of(posts.rows, me))),
    }
    return framed(request, "web/home.html", parts)


def welcome(request: HttpRequest) -> HttpResponse:
    posts = listing(request, lambda w: newest_posts(request.user, w))
    context = {"listing": posts, "indexed": not request.GET, "bare_title": True}
    return render(request, "web/welcome.html", context)


@read_only
def new(request: HttpRequest) -> HttpResponse:
    """How many posts are newer than `?after=`, as a button; 204 where there are none, and where the
    next poll goes on: what others write is looked at once."""
    if not request.user.is_authenticated:
        return HttpResponse(status=204)
    window = Window(MOST_NEW + 1, request.GET.get("after") or None)
    count = new_in_feed(member(request), window)
    if not count:
        following = f"{request.path}?after={next_question(window)}"
        return HttpResponse(status=204, headers={"Link": f'<{following}>; rel="next"'})
    context = {"count": min(count, MOST_NEW), "more": count > MOST_NEW}
    return render(request, "web/home.html#new", context)
