from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from innotter.common.errors import Invalid, Unavailable
from innotter.common.pagination import MAX_LIMIT, Window
from innotter.pages import follows, selectors, services
from innotter.pages.models import Page
from innotter.pages.policies import require_owner
from innotter.posts.selectors import posts_of
from innotter.web.forms import PageForm
from innotter.web.listing import Listing, listing
from innotter.web.refusals import in_words
from innotter.web.shortcuts import (
    form_only,
    leads_on,
    member,
    members_only,
    next_of,
    origin_of,
    read_only,
    readable_form,
    refused,
    see_other,
    uploaded,
)
from innotter.web.templatetags.web import page_url


@read_only
@members_only
def mine(request: HttpRequest) -> HttpResponse:
    """One's own pages, and those that one follows."""
    me = member(request)
    context = {
        "own": selectors.pages_of(me, me, Window(MAX_LIMIT)).rows,
        "listing": listing(request, lambda w: selectors.followed_pages(me, w)),
    }
    return render(request, "web/pages.html", context)


@read_only
@leads_on
def page(request: HttpRequest, uuid: str) -> HttpResponse:
    found, closed = _profile(request, uuid)
    if found.uuid != uuid:
        return see_other(page_url(found))
    posts = Listing([]) if closed else listing(request, lambda w: posts_of(uuid, request.user, w))
    context = {
        "page": found,
        "listing": posts,
        "closed": closed,
        "indexed": not (found.is_private or request.GET),
        "asked": request.GET.get("act") == "follow" and _may_be_asked(found, request),
    }
    return render(request, "web/page.html", context)


@readable_form
@members_only
def new(request: HttpRequest) -> HttpResponse:
    form = PageForm(*uploaded(request))
    if request.method == "POST" and form.is_valid():
        made: list[Page] = []
        fields = form.changes()
        if not refused(
            form, lambda: made.append(services.create_page(actor=member(request), **fields))
        ):
            return _with_picture(request, form, made[0], next_of(request))
    context = {
        "form": form,
        "heading": _("Create a page"),
        "button": _("Create page"),
        "back": "/pages",
    }
    return render(request, "web/page_form.html", context)


@readable_form
@members_only
def edit(request: HttpRequest, uuid: str) -> HttpResponse:
    found = own_page(request, uuid)
    form = PageForm(*uploaded(request), initial=_initial(found))
    if request.method == "POST" and form.is_valid():
        saved: list[Page] = []
        fields = form.changes()
        if not refused(
            form,
            lambda: saved.append(services.edit_page(actor=member(request), page=found, **fields)),
        ):
            messages.success(request, _("Saved."))
            return _with_picture(request, form, saved[0])
    context = {
        "form": form,
        "page": found,
        "heading": _("Edit page"),
        "button": _("Save"),
        "back": page_url(found),
    }
    return render(request, "web/page_form.html", context)


@readable_form
@members_only
def delete(request: HttpRequest, uuid: str) -> HttpResponse:
    found = own_page(request, uuid)
    if request.method == "POST":
        services.delete_page(actor=member(request), page=found)
        messages.success(request, _("The page is deleted."))
        return see_other("/pages")
    return render(request, "web/delete_page.html", {"page": found})


@form_only
@members_only
def follow(request: HttpRequest, uuid: str) -> HttpResponse:
    follows.follow(actor=member(request), page=uuid)
    return _followed(request, uuid)


@form_only
@members_only
def unfollow(request: HttpRequest, uuid: str) -> HttpResponse:
    """Also a page that is hidden by now; the answer tells nothing of it."""
    follows.unfollow(actor=member(request), page=uuid)
    return _followed(request, uuid)


@read_only
@leads_on
def followers(request: HttpRequest, uuid: str) -> HttpResponse:
    found = selectors.open_page_at(uuid, request.user)
    people = listing(request, lambda w: selectors.followers_of(uuid, request.user, w))
    return render(request, "web/followers.html", {"page": found, "listing": people})


@form_only
@members_only
def remove_follower(request: HttpRequest, uuid: str, username: str) -> HttpResponse:
    follows.remove_follower(actor=member(request), page=uuid, username=username)
    messages.success(request, _("The follower is removed."))
    return see_other(f"/@{uuid}/followers")


@readable_form
@members_only
def requests(request: HttpRequest, uuid: str) -> HttpResponse:
    """Who waits to follow. A POST accepts or rejects one, those that are ticked, or all."""
    found = own_page(request, uuid)
    if request.method == "POST":
        answer = request.POST.get("answer", "")
        names = None if answer.endswith("_all") else request.POST.getlist("username")
        if names is None or names:
            accepts = answer.startswith("accept")
            service = follows.accept_requests if accepts else follows.reject_requests
            count = service(actor=member(request), page=found, usernames=names)
            _tell(request, count, accepts=accepts)
        return see_other(request.path)
    rows = listing(request, lambda w: selectors.requests_of(uuid, member(request), w))
    return render(request, "web/requests.html", {"page": found, "listing": rows})


def own_page(request: HttpRequest, uuid: str) -> Page:
    """Raises NotFound, Forbidden."""
    found = selectors.page_at(uuid, request.user)
    require_owner(member(request), found)
    return found


def _with_picture(
    request: HttpRequest, form: PageForm, page: Page, then: str = "/"
) -> HttpResponse:
    """To the saved page, or where else its owner wanted to go; back to the form where its picture,
    and nothing else, is refused."""
    image = form.cleaned_data["image"]
    try:
        if image or "remove_image" in request.POST:
            services.set_image(actor=member(request), page=page, image=image or None)
    except (Invalid, Unavailable) as error:
        messages.error(request, in_words(error))
        return see_other(f"{page_url(page)}/edit")
    return see_other(page_url(page) if then == "/" else then)


def _initial(page: Page) -> dict[str, Any]:
    values = {name: getattr(page, name) for name in ("name", "uuid", "description", "is_private")}
    return {**values, "tags": ", ".join(page.tag_names)}


def _followed(request: HttpRequest, uuid: str) -> HttpResponse:
    if not request.htmx:  # type: ignore[attr-defined]
        return see_other(origin_of(request))
    found, closed = _profile(request, uuid)
    return render(request, "web/page.html#profile", {"page": found, "closed": closed})


def _may_be_asked(page: Page, request: HttpRequest) -> bool:
    """Whether the viewer can follow it, and doesn't yet."""
    me = request.user
    return me.is_authenticated and page.owner_id != me.id and page.viewer_follow == "none"


def _profile(request: HttpRequest, uuid: str) -> tuple[Page, bool]:
    """The page, and whether its posts are closed to the viewer."""
    try:
        return selectors.open_page_at(uuid, request.user), False
    except selectors.PagePrivate:
        return selectors.page_at(uuid, request.user), True


def _tell(request: HttpRequest, count: int, *, accepts: bool) -> None:
    if accepts:
        text = ngettext("%(n)d request accepted.", "%(n)d requests accepted.", count)
    else:
        text = ngettext("%(n)d request rejected.", "%(n)d requests rejected.", count)
    messages.success(request, text % {"n": count})
