"""What is rendered by functions made once is, byte for byte, what the serializers say."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import FieldFetchBlocked
from django.db.models import Model
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.renderers import JSONRenderer

from innotter.accounts.models import Invitation, Passkey, Registration, Session, User
from innotter.accounts.serializers import PasskeySerializer, SessionSerializer, UserSerializer
from innotter.common.compiled import compiled
from innotter.common.pagination import Window
from innotter.common.rendering import JsonRenderer, shows
from innotter.common.views import BaseViewSet
from innotter.conftest import new_page, new_post, new_user, statements
from innotter.exports.serializers import ExportSerializer
from innotter.feed.selectors import feed_of
from innotter.moderation.serializers import InvitationSerializer, WaitingRegistrationSerializer
from innotter.pages.models import Follow, Page, Tag
from innotter.pages.serializers import FollowRequestSerializer, PageSerializer, TagSerializer
from innotter.posts.models import Post
from innotter.posts.selectors import NOT_OF_PAGE
from innotter.posts.serializers import LikeSerializer, ParentSerializer, PostSerializer
from innotter.search.selectors import Hit
from innotter.search.serializers import HitSerializer

HELL = [
    "",
    "\x01\x02\x08\t\n\x0b\x0c\r\x1f\x7f\x80\x9f\xa0\xad",
    "\"'\\/</script><!-- & ©",
    "\u2028\u2029\u200b\u202e\ufeff\ufffe\uffff",
    "Ё́ ёжик ﷽ 👩‍👩‍👧 \U0010ffff",
    "\\u2028 \\\\u2029 %s {0} null",
]
MOMENTS = [
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(2026, 2, 3, 4, 5, 6, 7, tzinfo=UTC),
    datetime(2026, 2, 3, 4, 5, 6, 120000, tzinfo=ZoneInfo("UTC")),
    datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=timezone(timedelta(0))),
]


def users() -> Iterator[User]:
    for number, text in enumerate(HELL):
        yield User(
            id=uuid.UUID(int=number),
            username=text,
            title=text,
            image_id=None if number % 2 else "a" * 64,
            # As rows have it, and as Python does.
            role=["user", User.Role.ADMIN][number % 2],
            is_blocked=number % 2 == 0,
            created_at=MOMENTS[number % 4],
        )


def pages() -> Iterator[Page]:
    for number, (owner, text) in enumerate(zip(users(), HELL, strict=True)):
        page = Page(
            id=uuid.uuid7() if hasattr(uuid, "uuid7") else uuid.uuid4(),
            uuid=text,
            name=text,
            description=text,
            image_id=owner.image_id,
            owner=owner,
            is_private=number % 2 == 1,
            unblock_date=MOMENTS[number % 4],
            blocked_for_good=number % 3 == 0,
            followers_count=2**31 - 1,
            created_at=MOMENTS[number % 4],
            updated_at=MOMENTS[-number % 4],
        )
        page.viewer_follow, page.viewer_is_owner = "none", number % 2 == 0
        page.tag_names = HELL[:number]
        yield page


def posts() -> Iterator[Post]:
    gone: list[Any] = [None, uuid.UUID(int=0)]
    for number, (page, text) in enumerate(zip(pages(), HELL, strict=True)):
        for parent in [*gone, Post(id=uuid.UUID(int=1), page=page)]:
            post = Post(
                page=page,
                content=text,
                likes_count=number,
                created_at=MOMENTS[number % 4],
                updated_at=MOMENTS[-number % 4],
            )
            if isinstance(parent, Post):
                post.reply_to = parent
            elif parent is not None:
                post.reply_to_id, post._state.fields_cache["reply_to"] = parent, None
            post.viewer_liked, post.visible_replies = number % 2 == 0, 1000
            post.parent_visible = number % 2 == 0
            yield post


def with_time[M: Model](row: M, **times: Any) -> M:
    vars(row).update(created_at=MOMENTS[1], **times)
    return row


def rows_of_accounts() -> dict[type[serializers.BaseSerializer[Any]], list[Any]]:
    maker = next(users())
    sessions = [
        with_time(Session(user=maker, user_agent=text, network=text, last_used_at=MOMENTS[0]))
        for text in HELL
    ]
    for number, session in enumerate(sessions):
        vars(session)["is_current"] = number % 2 == 0
        session.cookie_digest = "x" if number % 2 else None
    return {
        SessionSerializer: sessions,
        PasskeySerializer: [
            with_time(Passkey(name=text, last_used_at=used))
            for text, used in zip(HELL, [None, *MOMENTS, None], strict=True)
        ],
        InvitationSerializer: [
            with_time(Invitation(code=text, made_by=made_by, uses=3, expires_at=MOMENTS[2]))
            for text in HELL
            for made_by in (maker, None)
        ],
        WaitingRegistrationSerializer: [
            with_time(Registration(username=text, title=text, confirmed_at=MOMENTS[3]))
            for text in HELL
        ],
    }


def tags() -> list[Tag]:
    found = [Tag(name=text) for text in HELL]
    for tag in found:
        vars(tag).update(pages_count=1000)
    return found


ROWS: dict[type[serializers.BaseSerializer[Any]], list[Any]] = {
    FollowRequestSerializer: [with_time(Follow(user=user)) for user in users()],
    HitSerializer: [
        *(Hit("page", page, 0) for page in pages()),
        *(Hit("user", user, 2000) for user in users()),
    ],
    PageSerializer: list(pages()),
    PostSerializer: list(posts()),
    TagSerializer: tags(),
    UserSerializer: list(users()),
    **rows_of_accounts(),
}


def test_every_answer_that_is_a_row_is_here() -> None:
    def below(kind: Any) -> Iterator[Any]:
        for each in kind.__subclasses__():
            yield from [each, *below(each)]

    shown = {view.serializer_class for view in below(BaseViewSet) if view.serializer_class}
    # What has no row is rendered by its view.
    assert ROWS.keys() == shown - {ExportSerializer}


# What a view or another serializer shows of a row by `shows()`.
PARTS: dict[type[serializers.BaseSerializer[Any]], list[Any]] = {
    LikeSerializer: list(posts()),
    ParentSerializer: list(posts()),
}


@pytest.mark.parametrize("serializer", [*ROWS, *PARTS], ids=lambda kind: kind.__name__)
def test_rows_are_rendered_as_their_serializer_says(serializer: Any) -> None:
    rows = {**ROWS, **PARTS}[serializer]
    by_serializer = JSONRenderer().render(serializer(rows, many=True).data)
    assert JsonRenderer().render(list(map(shows(serializer), rows))) == by_serializer


LAZY: Promise = gettext_lazy("Posts")


@pytest.mark.parametrize(
    "data",
    [
        *HELL,
        {"title": ErrorDetail("Not <so>.", code="invalid"), "lazy": LAZY, "number": 12**20},
        {"list": [(1, 2.5, None, True)], "empty": {}, "role": User.Role.ADMIN, "days": {"1": 1}},
        serializers.Serializer({}).data,
    ],
)
def test_anything_else_is_written_as_drf_writes_it(data: Any) -> None:
    assert JsonRenderer().render(data) == JSONRenderer().render(data)


def test_no_answer_is_no_byte() -> None:
    assert JsonRenderer().render(None) == JSONRenderer().render(None) == b""


def test_a_field_joins_the_answer_by_the_serializer_alone(ann: User) -> None:
    """Every column of a post comes with it, and of its page each that is not named as unread: one
    that is new, too."""

    class WithMore(PostSerializer):
        class Meta(PostSerializer.Meta):
            fields: ClassVar = tuple(field.attname for field in Post._meta.concrete_fields)

    class PageWithMore(serializers.ModelSerializer[Page]):
        class Meta:
            model = Page
            fields: ClassVar = tuple(
                field.attname
                for field in Page._meta.concrete_fields
                if field.attname not in NOT_OF_PAGE
            )

    new_post(new_page(ann))
    found = feed_of(ann, Window())
    with statements() as sent:
        [shown] = map(shows(WithMore), found)
        [page] = [shows(PageWithMore)(post.page) for post in found]
        for unread in NOT_OF_PAGE:
            with pytest.raises(FieldFetchBlocked):
                getattr(found.rows[0].page, unread)
    assert shown.keys() == {*WithMore.Meta.fields}
    assert page.keys() == {*PageWithMore.Meta.fields}
    assert sent == []


def test_a_row_that_was_read_is_a_row_like_any(ann: User) -> None:
    @compiled
    def read(viewer: User) -> Any:
        return Page.objects.filter(owner=viewer.pk).select_related("owner")

    page = new_page(ann, name="Fog")
    [found] = read(ann)
    assert (found, found.owner, found._state.adding) == (page, ann, False)
    found.name = "Sea"
    found.save(update_fields=["name"])
    assert Page.objects.get().name == "Sea"
    assert new_user("bob") != found.owner
