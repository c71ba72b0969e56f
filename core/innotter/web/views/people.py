from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from innotter.accounts.selectors import user_at
from innotter.pages.selectors import pages_of
from innotter.posts.selectors import liked_by
from innotter.web.listing import listing
from innotter.web.shortcuts import leads_on, member, members_only, read_only, see_other


@read_only
@leads_on
def person(request: HttpRequest, username: str) -> HttpResponse:
    found = user_at(username, request.user)
    if found.username != username:
        return see_other(f"/u/{found.username}")
    pages = listing(request, lambda w: pages_of(found, request.user, w))
    context = {"person": found, "listing": pages, "indexed": not request.GET}
    return render(request, "web/user.html", context)


@read_only
@members_only
def likes(request: HttpRequest) -> HttpResponse:
    liked = listing(request, lambda w: liked_by(member(request), w))
    return render(request, "web/likes.html", {"listing": liked})
