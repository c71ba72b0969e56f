"""What goes of pages and follows with an account, a part at a time; see the app `deletion`."""

from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef

from innotter.accounts.models import User
from innotter.events.services import record
from innotter.pages.locks import lock
from innotter.pages.models import Follow, Page, Tag
from innotter.pages.services import remove_page
from innotter_contracts.events import FollowRequestWithdrawn, PageAndUser, PageUnfollowed


@transaction.atomic
def remove_a_page(*, owner: User) -> int:
    """One of their pages, with all that is still on it, and the tags that it alone had; how many
    pages that was."""
    first = Page.objects.filter(owner=owner).order_by("id").values("id")[:1]
    page = next(iter(Page.objects.filter(pk__in=first)), None)
    if page is None:
        return 0
    page = lock(Page.objects.filter(pk=page.pk))
    tags = list(page.tags.order_by("name").values_list("id", flat=True))
    remove_page(page=page, actor=owner)
    _forget_unused(tags)
    return 1


@transaction.atomic
def end_some_follows(*, user: User, at_once: int) -> int:
    """Of their follows and requests; how many."""
    some = Follow.objects.filter(user=user).order_by("-id").values_list("page_id", flat=True)
    pages = Page.objects.filter(pk__in=list(some[:at_once])).order_by("pk")
    locked = [page.pk for page in pages.select_for_update(no_key=True)]
    follows = list(Follow.objects.filter(user=user, page__in=locked))
    Follow.objects.filter(pk__in=[follow.pk for follow in follows]).delete()
    followed = [follow.page_id for follow in follows if follow.accepted_at]
    Page.objects.filter(pk__in=followed).update(followers_count=F("followers_count") - 1)
    record(*(_ended(follow) for follow in follows))
    return len(follows)


def _ended(follow: Follow) -> PageUnfollowed | FollowRequestWithdrawn:
    event = PageUnfollowed if follow.accepted_at else FollowRequestWithdrawn
    payload = PageAndUser(page_id=follow.page_id, user_id=follow.user_id)
    return event(actor=follow.user_id, payload=payload)


def _forget_unused(tags: list[UUID]) -> None:
    """In two statements: the second sees what was committed while the first waited."""
    mine = Tag.objects.filter(pk__in=tags)
    list(mine.select_for_update().order_by("name").values_list("pk", flat=True))
    used = Page.tags.through.objects.filter(tag=OuterRef("pk"))
    mine.filter(~Exists(used)).delete()
