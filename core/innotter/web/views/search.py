from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from innotter.common.pagination import Window
from innotter.pages.selectors import pages_with
from innotter.search.selectors import found
from innotter.web.listing import listing
from innotter.web.shortcuts import read_only

KINDS = ("page", "user")
LONGEST = 100
SUGGESTED = 6


@read_only
def search(request: HttpRequest) -> HttpResponse:
    """Pages and people by a question, or pages by a tag; without either the newest pages."""
    question, tag = _words(request, "q"), _words(request, "tag")
    kind = request.GET.get("type")
    kind = kind if kind in KINDS else None
    if question:
        results = listing(request, lambda w: found(question, request.user, w, kind))
    else:
        results = listing(request, lambda w: pages_with(request.user, w, tag=tag))
    context = {
        "question": question,
        "tag": tag,
        "kind": kind,
        "listing": results,
        "indexed": not request.GET,
    }
    return render(request, "web/search.html", context)


@read_only
def suggestions(request: HttpRequest) -> HttpResponse:
    """The best hits while the question is being typed: a piece of the page."""
    question = _words(request, "q")
    hits = found(question, request.user, Window(SUGGESTED)).rows if question else []
    return render(request, "web/search.html#suggestions", {"suggestions": hits})


def _words(request: HttpRequest, name: str) -> str:
    return request.GET.get(name, "").replace("\0", "").strip()[:LONGEST]
