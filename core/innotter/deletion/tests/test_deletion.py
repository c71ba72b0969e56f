"""Who has left is gone everywhere: wherever the task that does it was killed."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from innotter.accounts.account_mail import owe_mail
from innotter.accounts.leaving import delete_user, due_deletions, leave
from innotter.accounts.logins import log_in
from innotter.accounts.models import AccountMail, FormerUsername, User
from innotter.accounts.services import edit_user
from innotter.config.tests.routes import files
from innotter.conftest import (
    CLIENT,
    PASSWORD,
    Api,
    make_follower,
    new_page,
    new_post,
    new_user,
    refusal,
    signed_in,
)
from innotter.deletion import services, storage
from innotter.deletion.models import Deletion
from innotter.events.models import OutboxEvent
from innotter.exports import making
from innotter.mail.models import Suppression
from innotter.mail.queueing import queue_deliveries
from innotter.mail.suppressions import suppress
from innotter.media.models import Picture
from innotter.media.services import forget_pictures
from innotter.media.storage import StorageUnavailable
from innotter.media.tests.pictures import png
from innotter.moderation.models import ModerationAction
from innotter.moderation.services import block_page, block_user, unblock_user
from innotter.pages.follows import follow
from innotter.pages.models import Page, Tag
from innotter.posts.models import Post
from innotter.posts.selectors import wrong_counts
from innotter.posts.services import create_post, delete_post, like
from innotter_contracts.counting import deltas
from innotter_contracts.events import parse_event

# All that use the bucket of exports, which each empties: one after another.
pytestmark = [pytest.mark.xdist_group("export_bucket"), pytest.mark.usefixtures("aws")]

# What Zoe is called and says, and nobody else.
WORDS = ["zoe", "Зоя", "zebra", "Zanzibar", "zest"]


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    yield
    client = boto3.client("s3")
    for found in client.list_objects_v2(Bucket=settings.EXPORT_BUCKET).get("Contents", []):
        client.delete_object(Bucket=settings.EXPORT_BUCKET, Key=found["Key"])


@pytest.fixture
def zoe(api: Api, ann: User, bob: User, admin: User, post: Post) -> User:
    """She has done everything that one can do here, and been done everything to; she leaves."""
    zoe = new_user("zoe")
    api(zoe).upload("/users/me/image", files()["PUT /users/me/image"])
    edit_user(actor=zoe, client=CLIENT, title="Зоя", username="zoe-zoe")
    first = new_page(zoe, uuid="zebra", name="Zebra", tags=["zest", "shared"])
    new_page(ann, uuid="other", tags=["shared"])
    private = new_page(zoe, uuid="zebra-private", name="Zebra", is_private=True)
    api(zoe).upload("/pages/zebra/image", files()["PUT /users/me/image"])
    api(zoe).patch("/pages/zebra", {"uuid": "zebra-2"})
    for n in range(7):
        mine = new_post(Page.objects.get(pk=first.pk), f"Zanzibar {n}", reply_to=post)
    words = new_post(Page.objects.get(pk=private.pk), "Zanzibar")
    create_post(actor=zoe, page=first, content="Zanzibar again", idempotency_key="zebra")
    answer = new_post(Page.objects.get(uuid="ann"), "An answer that stays", reply_to=mine)
    for user in (bob, ann):
        like(actor=user, post=mine)
        make_follower(user, first)
    like(actor=zoe, post=post)
    like(actor=zoe, post=answer)
    follow(actor=zoe, page=Page.objects.get(uuid="ann"))
    follow(actor=zoe, page=Page.objects.get(uuid="ann-private"))
    queue_deliveries(new_post(Page.objects.get(uuid="ann")).pk)
    queue_deliveries(words.pk)
    block_page(actor=admin, page="zebra-2", until=None, reason="Zebra trouble")
    delete_post(actor=admin, post=words, reason="Zoe wrote it")
    block_user(actor=admin, user=zoe, reason="Zoe")
    unblock_user(actor=admin, user=zoe)
    ModerationAction.objects.create(
        actor=zoe, action="block", target_kind="user", target_id=bob.pk, target="bob"
    )
    zoe.refresh_from_db()
    log_in(login="zoe-zoe", password=PASSWORD, client=CLIENT)
    signed_in(zoe)
    owe_mail(kind=AccountMail.Kind.PASSWORD_CHANGED, user=zoe)
    suppress(
        "zoe@example.com",
        reason=Suppression.Reason.BOUNCE,
        detail="of zoe@example.com",
        happened_at=timezone.now(),
    )
    api(zoe).post("/users/me/export", {"current_password": PASSWORD})
    making.make_exports()
    left = leave(actor=zoe, client=CLIENT, current_password=PASSWORD, session_id=None)
    User.objects.filter(pk=left.pk).update(deletes_at=timezone.now() - timedelta(seconds=1))
    return User.objects.get(pk=zoe.pk)


def published() -> None:
    OutboxEvent.objects.filter(published_at=None).update(published_at=timezone.now())


def pictures_are_old() -> None:
    Picture.objects.update(updated_at=timezone.now() - timedelta(hours=2))


def to_the_end() -> None:
    """As the clock does it, with the relay at work."""
    for _ in range(3):
        services.delete_due()
        published()
    pictures_are_old()
    forget_pictures()


def traces(user_id: Any) -> list[str]:
    """All rows of all tables, and all objects of all buckets, in which she is."""
    needles = [str(user_id), user_id.hex, *WORDS]
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT row::text FROM "{table}" AS row')  # noqa: S608
            for (row,) in cursor.fetchall():
                found += [f"{table}: {row}" for n in needles if n.lower() in row.lower()]
    client = boto3.client("s3")
    for bucket in client.list_buckets()["Buckets"]:
        for each in client.list_objects_v2(Bucket=bucket["Name"]).get("Contents", []):
            if any(n.lower() in each["Key"].lower() for n in needles):
                found.append(f"{bucket['Name']}: {each['Key']}")
    return found


def what_stays(trace: str, user_id: Any) -> bool:
    """The name is reserved; the log knows the target's id; the list for restored backups."""
    name, _, rest = trace.partition(": ")
    match name:
        case "accounts_formerusername":
            return str(user_id) not in rest
        case "moderation_moderationaction":
            return not any(word.lower() in rest.lower() for word in WORDS)
        case _:
            return rest == f"deleted-users/{user_id}"


def test_nothing_is_left_anywhere_but_what_the_law_of_the_log_needs(
    zoe: User, post: Post, admin: User
) -> None:
    assert len(traces(zoe.pk)) > 50
    to_the_end()
    left = traces(zoe.pk)
    assert [trace for trace in left if not what_stays(trace, zoe.pk)] == []
    assert {each.username for each in FormerUsername.objects.all()} == {"zoe", "zoe-zoe"}
    assert list(wrong_counts()) == []
    assert not Deletion.objects.exists()
    entries = ModerationAction.objects.order_by("id")
    assert [(e.action, e.target_kind) for e in entries] == [
        ("block", "page"),
        ("delete", "post"),
        ("block", "user"),
        ("unblock", "user"),
        ("block", "user"),
    ]
    assert [(e.actor, e.actor_is_gone, e.target) for e in entries] == [
        *[(admin, False, "")] * 4,
        (None, True, "bob"),
    ]
    # What others wrote stays, and so do the tags that others use.
    assert Post.objects.filter(content="An answer that stays").exists()
    assert set(Tag.objects.values_list("name", flat=True)) == {"shared"}


def test_statistics_are_told_of_everything_that_counted(zoe: User, post: Post) -> None:
    """Of each page that stays, what was told adds up to what is there."""
    to_the_end()
    told: dict[Any, int] = {}
    for body in OutboxEvent.objects.order_by("id").values_list("body", flat=True):
        event = parse_event(json.dumps(body))
        for page_id, metric, amount in deltas(event):
            told[page_id, metric] = told.get((page_id, metric), 0) + amount
    for page in Page.objects.all():
        likes = sum(Post.objects.filter(page=page).values_list("likes_count", flat=True))
        assert told.get((page.pk, "likes"), 0) == likes
        assert told.get((page.pk, "followers"), 0) == page.followers_count
        assert told.get((page.pk, "follow_requests"), 0) == 0
        received = Post.objects.filter(reply_to_page=page).count()
        assert told.get((page.pk, "replies_received"), 0) == received


class Killed(BaseException):
    pass


@pytest.mark.parametrize("part", range(len(services.PARTS)))
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_who_is_killed_anywhere_is_followed_by_one_who_completes_it(
    zoe: User, monkeypatch: pytest.MonkeyPatch, part: int, before: bool
) -> None:
    """In the second of its transactions, or right after."""
    monkeypatch.setattr(services, "AT_ONCE", 2)
    real, calls = services.PARTS[part], [0]

    def dying(user: User) -> int:
        calls[0] += 1
        if calls[0] == 2 and before:
            raise Killed
        done = real(user)
        if calls[0] == 2:
            raise Killed
        return done

    parts: list[Callable[[User], int]] = list(services.PARTS)
    parts[part] = dying
    monkeypatch.setattr(services, "PARTS", tuple(parts))
    with pytest.raises(Killed):
        services.delete_due()
    assert list(wrong_counts()) == []
    assert [user.pk for user in due_deletions()] == [zoe.pk]
    monkeypatch.undo()
    to_the_end()
    assert [trace for trace in traces(zoe.pk) if not what_stays(trace, zoe.pk)] == []
    assert list(wrong_counts()) == []


def test_a_picture_that_somebody_else_shows_stays(zoe: User, ann: User, api: Api) -> None:
    # Of this test alone: others, beside it, share the bucket and take theirs away.
    api(ann).upload("/users/me/image", png("teal", size=(9, 9)))
    ann.refresh_from_db()
    User.objects.filter(pk=zoe.pk).update(image=ann.image_id)
    to_the_end()
    assert Picture.objects.filter(name=ann.image_id).exists()
    assert boto3.client("s3").head_object(
        Bucket=settings.MEDIA_BUCKET, Key=f"{ann.image_id}/large.webp"
    )


def test_who_changes_their_mind_in_time_loses_nothing(api: Api, zoe: User) -> None:
    User.objects.filter(pk=zoe.pk).update(deletes_at=timezone.now() + timedelta(days=1))
    assert services.delete_due() == 0
    zoe.refresh_from_db()
    assert api(zoe).post("/users/me/restore").status_code == 200
    assert services.delete_due() == 0
    assert Post.objects.filter(content="Zanzibar again").exists()


def test_the_name_is_reserved_and_the_mailbox_free(api: Api, zoe: User) -> None:
    to_the_end()
    new = {"username": "Zoe-Zoe", "email": "zoe@example.com", "password": PASSWORD}
    assert refusal(api().post("/auth/register", new)) == (409, "username_taken")
    assert api().post("/auth/register", {**new, "username": "zora"}).status_code == 201


def test_the_farewell_is_the_last_that_knows_the_address(zoe: User) -> None:
    Suppression.objects.all().delete()
    services.delete_due()
    [mail] = AccountMail.objects.filter(user=None)
    assert (mail.kind, mail.address, mail.facts) == ("gone", "zoe@example.com", {})
    AccountMail.objects.update(state=AccountMail.State.SENT)
    to_the_end()
    assert not AccountMail.objects.filter(user=None).exists()


def test_events_on_their_way_are_told_before_they_are_forgotten(zoe: User) -> None:
    services.delete_due()
    assert OutboxEvent.objects.filter(type="user.deleted", published_at=None).exists()
    services.delete_due()
    assert Deletion.objects.get().user_id == zoe.pk
    published()
    services.delete_due()
    assert not Deletion.objects.exists()
    assert OutboxEvent.objects.filter(type="user.deleted").exists()


def test_one_that_fails_does_not_hold_up_the_others(
    zoe: User, ann: User, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = storage.remember

    def fail(user_id: Any) -> None:
        if user_id == zoe.pk:
            raise StorageUnavailable
        real(user_id)

    monkeypatch.setattr(storage, "remember", fail)
    delete_user(actor=admin, user=ann)
    with pytest.raises(StorageUnavailable):
        services.delete_due()
    assert not User.objects.filter(pk=ann.pk).exists()
    assert User.objects.filter(pk=zoe.pk).exists()


def test_a_restored_backup_is_rid_of_them_again(zoe: User) -> None:
    backup = User.objects.filter(pk=zoe.pk).values().get()
    to_the_end()
    FormerUsername.objects.all().delete()
    User(**{**backup, "deletes_at": None, "image_id": None}).save(force_insert=True)
    assert services.apply_again() == 1
    to_the_end()
    assert not User.objects.filter(pk=zoe.pk).exists()
    assert services.apply_again() == 0
