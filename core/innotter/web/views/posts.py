from collections.abc import Sequence
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from innotter.common.errors import NotFound
from innotter.pages.models import Page
from innotter.pages.policies import require_owner
from innotter.pages.selectors import page_at, writable_by
from innotter.posts import selectors, services
from innotter.posts.models import Post
from innotter.posts.policies import require_deletable
from innotter.web.forms import EditPostForm, PostForm, ReasonForm
from innotter.web.shortcuts import (
    POSTED,
    form_only,
    member,
    members_only,
    moved,
    origin_of,
    readable_form,
    refused,
    see_other,
    sent,
    to_login,
    written,
)
from innotter.web.templatetags.posts import composer_for, like_button, reader_of
from innotter.web.templatetags.web import page_url, post_url


@readable_form
def post(request: HttpRequest, uuid: str, id: str) -> HttpResponse:
    """A post with what it answers above it and its replies below. A POST is a reply."""
    if request.method == "POST" and not request.user.is_authenticated:
        return to_login(request)
    found = selectors.post_at(UUID(id), request.user)
    if found.page.uuid != uuid:
        return (see_other if request.method == "POST" else moved)(post_url(found))
    pages = own_pages(request)
    text, act = request.GET.get("text", ""), request.GET.get("act")
    reply = PostForm(request.POST, pages=pages) if pages and request.method == "POST" else None
    if reply and reply.is_valid() and (made := written(request, reply, reply_to=found)):
        messages.success(request, _("Your reply is posted."), extra_tags=POSTED)
        return see_other(f"{post_url(found)}#post-{made.id}")
    context = {
        "post": found,
        "thread": selectors.thread_of(found, request.user),
        "composer": composer_for(pages, reply, reply_to=found, text=text, autofocus=act == "reply"),
        "indexed": not (found.page.is_private or request.GET),
        "asked": act == "like" and request.user.is_authenticated and not found.viewer_liked,
        "replying": act == "reply",
    }
    return render(request, "web/thread.html", context)


@form_only
@members_only
def like(request: HttpRequest, uuid: str, id: str) -> HttpResponse:
    return _liked(request, id, services.like(actor=member(request), post=UUID(id)))


@form_only
@members_only
def unlike(request: HttpRequest, uuid: str, id: str) -> HttpResponse:
    """Also of a post that is hidden by now; the answer tells nothing of it."""
    return _liked(request, id, services.unlike(actor=member(request), post=UUID(id)))


@readable_form
@members_only
def edit(request: HttpRequest, uuid: str, id: str) -> HttpResponse:
    found = selectors.post_at(UUID(id), request.user)
    require_owner(member(request), page_at(found.page.uuid, member(request)))
    # What was written when the session was over comes back from the login.
    text = request.GET.get("text") or found.content
    form = EditPostForm(sent(request), initial={"content": text})
    if form.is_valid() and not refused(
        form, lambda: services.edit_post(actor=member(request), post=found, **form.cleaned_data)
    ):
        messages.success(request, _("Saved."))
        return see_other(post_url(found))
    context = {
        "form": form,
        "heading": _("Edit post"),
        "button": _("Save"),
        "back": post_url(found),
    }
    return render(request, "web/form.html", context)


@readable_form
@members_only
def delete(request: HttpRequest, uuid: str, id: str) -> HttpResponse:
    found = selectors.post_at(UUID(id), request.user)
    require_deletable(member(request), page_at(found.page.uuid, member(request)))
    mine = found.page.owner_id == member(request).id
    form = forms.Form(sent(request)) if mine else ReasonForm(sent(request))
    if request.method == "POST" and form.is_valid():
        services.delete_post(actor=member(request), post=found, **form.cleaned_data)
        messages.success(request, _("The post is deleted."))
        return see_other(_after_delete(request, found))
    context = {
        "form": form,
        "post": found,
        "mine": mine,
        "heading": _("Delete this post?"),
        "button": _("Delete"),
        "danger": True,
        "back": post_url(found),
    }
    return render(request, "web/delete_post.html", context)


def _after_delete(request: HttpRequest, post: Post) -> str:
    """The list in which it stood, or else its page."""
    origin = origin_of(request)
    return page_url(post.page) if origin == "/" or str(post.id) in origin else origin


def own_pages(request: HttpRequest) -> Sequence[Page]:
    """As which the viewer may write."""
    if not request.user.is_authenticated:
        return []
    return writable_by(member(request))


def _liked(request: HttpRequest, id: str, found: Post | None) -> HttpResponse:
    """The button as it is now, or the page on which it was pressed; nothing of a hidden post."""
    if not request.htmx:  # type: ignore[attr-defined]
        return see_other(f"{origin_of(request)}#post-{id}")
    if found is None:
        raise NotFound
    like = like_button(found, reader_of(member(request)))
    return render(request, "web/post.html#like", {"like": like})
