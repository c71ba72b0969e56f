"""Users, pages and posts with what admins do to them, and the log of it.

Each action asks for a reason first and then calls the same service as the API.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import ActionLocation, IncorrectLookupParameters
from django.contrib.admin.utils import model_ngettext
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from innotter.accounts.leaving import delete_user
from innotter.accounts.models import User
from innotter.common.admin import SEARCHED_ROWS, ReadOnlyAdmin, newest, with_id
from innotter.common.emails import folded_email
from innotter.common.errors import DomainError
from innotter.moderation import services
from innotter.moderation.models import ModerationAction
from innotter.pages.models import Page
from innotter.pages.selectors import is_blocked
from innotter.posts.models import Post
from innotter.posts.services import delete_post

MOST_AT_ONCE = 100


class ReasonForm(forms.Form):
    reason = forms.CharField(
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
        help_text="For the moderation log.",
    )


class BlockForm(ReasonForm):
    until = forms.DateTimeField(
        label="Until (UTC)", widget=forms.DateTimeInput(attrs={"type": "datetime-local"})
    )
    field_order = ("until", "reason")


type PanelAction = Callable[[Any, HttpRequest, QuerySet[Any]], HttpResponse | None]


def confirmed_action(
    name: str, title: str, service: Callable[..., object], form: type = ReasonForm
) -> PanelAction:
    """An action that shows what it is about to do, asks for the form's fields, and calls `service`
    for each target with them, the actor and the target."""

    @admin.action(
        description=title, location=[ActionLocation.CHANGE_LIST, ActionLocation.CHANGE_FORM]
    )
    def ask(
        panel: "ModerationAdmin", request: HttpRequest, targets: QuerySet[Any]
    ) -> HttpResponse | None:
        chosen = list(targets[: MOST_AT_ONCE + 1])
        if len(chosen) > MOST_AT_ONCE:
            panel.message_user(request, f"At most {MOST_AT_ONCE} at a time.", messages.ERROR)
            return None
        asked = form(request.POST if "confirmed" in request.POST else None)
        if not asked.is_valid():
            return panel.confirmation(request, name, title, chosen, asked)
        panel.do(request, title, partial(service, actor=request.user, **asked.cleaned_data), chosen)
        return None

    ask.__name__ = name
    return ask


class ModerationAdmin(ReadOnlyAdmin):
    """A list with actions that ask."""

    def confirmation(
        self, request: HttpRequest, action: str, title: str, chosen: list[Any], form: forms.Form
    ) -> HttpResponse:
        changelist = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "action": action,
            "chosen": chosen,
            "checkbox": ACTION_CHECKBOX_NAME,
            "form": form,
            # Back to the list as it was filtered, or from a single row to the list.
            "list_url": request.get_full_path() if request.path == changelist else changelist,
        }
        return TemplateResponse(request, "moderation/confirmation.html", context)

    def do(
        self, request: HttpRequest, title: str, service: Callable[..., object], chosen: list[Any]
    ) -> None:
        """Each by itself: one that is refused does not hold up the others."""
        done = 0
        for target in chosen:
            try:
                service(**{str(self.opts.model_name): target})
                done += 1
            except DomainError as error:
                self.message_user(request, f"{target}: {error}", messages.ERROR)
        if done:
            self.message_user(
                request, f"{title}: {done} {model_ngettext(self.opts, done)}.", messages.SUCCESS
            )

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """What moderators did to it: Django's own history is of forms, and there are none."""
        log = reverse("admin:moderation_moderationaction_changelist")
        return HttpResponseRedirect(f"{log}?target_id={object_id}")


@admin.register(User)
class UserAdmin(ModerationAdmin):
    list_display = ("username", "title", "email", "role", "block", "created_at")
    list_filter = ("role", "is_blocked")
    search_help_text = "A part of the username or the title, or the whole e-mail address."
    fields = (
        "username",
        "title",
        "email",
        "pending_email",
        "role",
        "block",
        "has_second_factor",
        "email_notifications",
        "language",
        "created_at",
        "last_login",
    )
    actions = (
        confirmed_action("block_user", "Block user", services.block_user),
        confirmed_action("delete_account", "Delete account, at once and for good", delete_user),
        confirmed_action("unblock_user", "Unblock user", services.unblock_user),
        confirmed_action("confirm_email", "Confirm e-mail address", services.confirm_email),
        confirmed_action("reset_password", "Send password reset", services.send_password_reset),
        *(
            confirmed_action(f"make_{role}", f"Make {role}", partial(services.set_role, role=role))
            for role in User.Role.values
        ),
    )

    def found_by(self, word: str) -> Q:
        names = Q(username__searched=word) | Q(title__searched=word)
        return names | Q(email__lower=folded_email(word)) | Q(pending_email=folded_email(word))

    def block(self, user: User) -> str:
        if user.is_leaving:
            return f"leaving, {_moment(user.deletes_at)}"
        return "blocked" if user.is_blocked else "-"


class BlockFilter(admin.SimpleListFilter):
    title = "block"
    parameter_name = "block"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("blocked", "blocked"), ("free", "not blocked"), ("for good", "for good")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Page]) -> QuerySet[Page]:
        match self.value():
            case "blocked":
                return queryset.filter(is_blocked())
            case "free":
                return queryset.exclude(is_blocked())
            case "for good":
                return queryset.filter(blocked_for_good=True)
        return queryset


@admin.register(Page)
class PageAdmin(ModerationAdmin):
    list_display = (
        "uuid",
        "name",
        "owner",
        "privacy",
        "block",
        "followers_count",
        "posts_count",
        "created_at",
    )
    list_filter = (BlockFilter, "is_private")
    list_select_related = ("owner",)
    search_help_text = "A part of the uuid or the name, or the owner's whole username."
    fields = (
        "uuid",
        "name",
        "owner",
        "description",
        "tags",
        "privacy",
        "block",
        "followers_count",
        "posts_count",
        "created_at",
        "updated_at",
    )
    actions = (
        confirmed_action("block_until", "Block until a moment", services.block_page, BlockForm),
        confirmed_action(
            "block_for_good", "Block for good", partial(services.block_page, until=None)
        ),
        confirmed_action("lift", "Lift the block", services.unblock_page),
    )

    def found_by(self, word: str) -> Q:
        """By the owner's id, so that an index gives the owner's pages too."""
        owner = User.objects.filter(username__lower=word.lower()).values("id")[:1]
        return Q(uuid__searched=word) | Q(name__searched=word) | Q(owner=owner)

    def privacy(self, page: Page) -> str:
        return "private" if page.is_private else "-"

    def block(self, page: Page) -> str:
        if page.blocked_for_good:
            return "for good"
        if page.own_block_runs:
            return f"until {_moment(page.unblock_date)}"
        return "owner blocked" if page.owner.is_blocked else "-"


class KindFilter(admin.SimpleListFilter):
    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("post", "posts"), ("reply", "replies")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Post]) -> QuerySet[Post]:
        if self.value() is None:
            return queryset
        return queryset.filter(reply_to__isnull=self.value() == "post")


@admin.register(Post)
class PostAdmin(ModerationAdmin):
    list_display = ("content", "page_uuid", "likes_count", "replies_count", "created_at")
    list_filter = (KindFilter,)
    list_select_related = ("page",)
    search_help_text = (
        f"Words of the newest {SEARCHED_ROWS:,} posts, the whole uuid of a page, or a post's id."
    )
    fields = (
        "content",
        "page",
        "reply_to",
        "reply_to_page",
        "likes_count",
        "replies_count",
        "created_at",
        "updated_at",
    )
    actions = (confirmed_action("delete_posts", "Delete posts", delete_post),)

    def found_by(self, word: str) -> Q:
        page = Page.objects.filter(uuid__lower=word.lower()).values("id")[:1]
        return Q(page=page) | with_id(word) | (newest(Post) & Q(content__icontains=word))

    @admin.display(description="page")
    def page_uuid(self, post: Post) -> str:
        return post.page.uuid


class TargetFilter(admin.SimpleListFilter):
    """By the id that `history_view` names; there are too many to choose from."""

    title = "target"
    parameter_name = "target_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        target = self.value()
        return [(target, target)] if target else []

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[ModerationAction]
    ) -> QuerySet[ModerationAction]:
        try:
            return queryset.filter(target_id=self.value() or "")
        except ValidationError:
            raise IncorrectLookupParameters from None


@admin.register(ModerationAction)
class ModerationActionAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "actor", "action", "target_kind", "target", "end", "reason")
    list_filter = ("action", "target_kind", TargetFilter)
    list_select_related = ("actor",)
    search_help_text = (
        f"Words of the newest {SEARCHED_ROWS:,} targets and reasons, or the actor's whole username."
    )
    fields = (
        "created_at",
        "actor",
        "action",
        "target_kind",
        "target_id",
        "target",
        "end",
        "reason",
    )

    def found_by(self, word: str) -> Q:
        actor = User.objects.filter(username__lower=word.lower()).values("id")[:1]
        words = Q(target__icontains=word) | Q(reason__icontains=word)
        return Q(actor=actor) | (newest(ModerationAction) & words)

    @admin.display(description="until")
    def end(self, action: ModerationAction) -> str:
        if action.until is not None:
            return _moment(action.until)
        blocks_page = (ModerationAction.Action.BLOCK, ModerationAction.Kind.PAGE)
        return "for good" if (action.action, action.target_kind) == blocks_page else "-"


def _moment(moment: datetime | None) -> str:
    assert moment is not None
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M}"
