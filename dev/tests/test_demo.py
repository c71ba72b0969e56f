"""The demo data is complete, consistent and usable."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from django.db.models import Count, F, Model, Q, Sum
from pytest_django import DjangoDbBlocker, Settings

from dev import totp
from dev.demo import ACCOUNTS
from dev.demo.data import LENGTH, DemoData, Refused, create_demo_data
from innotter.accounts.factors import take_code
from innotter.accounts.models import User
from innotter.common.pagination import Window
from innotter.events.models import OutboxEvent
from innotter.feed.selectors import feed_of
from innotter.pages.models import Follow, Page
from innotter.posts.models import MAX_LENGTH, Like, Post
from innotter.posts.selectors import posts_for

NOW = datetime.now(UTC)
# One data set for all tests here, so one worker of pytest.
pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("demo")]


@pytest.fixture(scope="module")
def data(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[DemoData]:
    with (
        pytest.MonkeyPatch.context() as patch,
        django_db_blocker.unblock(),
        transaction.atomic(),
    ):
        # uuid6 never goes back behind the last id of its process, which was made in the present.
        patch.setattr("uuid6._last_v7_timestamp", None)
        yield create_demo_data(NOW)
        transaction.set_rollback(True)


def test_it_is_as_large_as_it_says(data: DemoData) -> None:
    assert data.users == User.objects.count() == 30
    assert data.pages == Page.objects.count() == 40
    assert data.posts + data.replies == Post.objects.count() > 350
    assert data.replies == Post.objects.filter(reply_to__isnull=False).count() > 100
    assert data.likes == Like.objects.count() > 400
    assert data.requests == Follow.objects.filter(accepted_at=None).count() > 5


def test_the_accounts_can_be_used_as_described(data: DemoData) -> None:
    for username, password, _ in ACCOUNTS:
        assert User.objects.get(username=username).check_password(password)
    assert User.objects.get(username="admin").is_admin
    assert User.objects.get(username="moderator").role == User.Role.MODERATOR
    assert not User.objects.exclude(email__endswith="@example.com").exists()


def test_one_account_has_an_app_whose_code_a_command_shows(
    data: DemoData, capsys: pytest.CaptureFixture[str]
) -> None:
    totp.main([])
    code = capsys.readouterr().out.strip()
    user = User.objects.get(has_second_factor=True)
    assert user.username == "helen"
    assert take_code(code, user)


def test_ann_has_followers_and_likes_and_a_private_page_with_requests(data: DemoData) -> None:
    public, private = Page.objects.filter(owner__username="ann").order_by("is_private")
    assert public.followers_count >= 10
    assert Like.objects.filter(page=public).count() >= 20
    assert private.is_private
    assert private.followers_count > 0
    assert private.follows.filter(accepted_at=None).count() >= 3


def test_bob_has_a_full_feed_of_recent_posts(data: DemoData) -> None:
    feed = feed_of(User.objects.get(username="bob"), Window(limit=100))
    assert len(feed) == 100
    assert feed.next is not None
    assert len({post.page_id for post in feed}) >= 15
    assert feed.rows[0].created_at > NOW - timedelta(days=1)


def test_it_speaks_both_languages(data: DemoData) -> None:
    texts = Post.objects.values_list("content", flat=True)
    russian = [text for text in texts if re.search("[а-яё]", text)]
    assert 100 < len(russian) < len(texts) - 100
    assert set(User.objects.values_list("language", flat=True)) == {"en", "ru"}


def test_no_text_is_too_long_or_there_twice(data: DemoData) -> None:
    texts = list(Post.objects.values_list("content", flat=True))
    assert max(map(len, texts)) == MAX_LENGTH
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("model", [User, Page, Follow, Post, Like])
def test_it_lies_in_the_last_five_weeks_and_ids_tell_the_order(
    data: DemoData, model: type[Model]
) -> None:
    rows = list(model._default_manager.order_by("id").values_list("id", "created_at"))
    times = [created_at for _, created_at in rows]
    assert times == sorted(times)
    assert times[0] >= NOW - LENGTH
    assert times[-1] <= NOW
    for key, created_at in rows:
        made = datetime.fromtimestamp((key.int >> 80) / 1000, UTC)
        assert abs(made - created_at) < timedelta(milliseconds=50)


def test_causes_come_before_effects(data: DemoData) -> None:
    assert not Page.objects.filter(created_at__lte=F("owner__created_at")).exists()
    assert not Follow.objects.filter(created_at__lte=F("page__created_at")).exists()
    assert not Post.objects.filter(created_at__lte=F("page__created_at")).exists()
    assert not Post.objects.filter(created_at__lte=F("reply_to__created_at")).exists()
    assert not Like.objects.filter(created_at__lte=F("post__created_at")).exists()


def test_events_tell_of_all_of_it_at_its_time(data: DemoData) -> None:
    told = dict(OutboxEvent.objects.values_list("type").annotate(Count("id")))
    assert told == {
        "page.created": data.pages,
        "page.followed": data.follows,
        "page.follow_requested": data.requests,
        "post.created": data.posts + data.replies,
        "post.liked": data.likes,
    }
    posted = OutboxEvent.objects.filter(type="post.created").order_by("id")
    assert list(posted.values_list("occurred_at", flat=True)) == list(
        Post.objects.order_by("id").values_list("created_at", flat=True)
    )


def test_counts_equal_the_rows(data: DemoData) -> None:
    pages = Page.objects.annotate(
        followers=Count("follows", Q(follows__accepted_at__isnull=False), distinct=True),
        written=Count("posts", distinct=True),
    )
    assert not pages.exclude(followers_count=F("followers"), posts_count=F("written")).exists()
    posts = Post.objects.annotate(
        liked=Count("likes", distinct=True), answered=Count("replies", distinct=True)
    )
    assert not posts.exclude(likes_count=F("liked"), replies_count=F("answered")).exists()


def test_nobody_answers_or_likes_what_they_may_not_see(data: DemoData) -> None:
    hidden = 0
    for user in User.objects.all():
        visible = posts_for(user)
        hidden += Post.objects.exclude(pk__in=visible.values("pk")).count()
        answered = Post.objects.filter(page__owner=user, reply_to__isnull=False)
        assert not answered.exclude(reply_to__in=visible.values("pk")).exists()
        assert not Like.objects.filter(user=user).exclude(post__in=visible.values("pk")).exists()
    # Else there would be nothing that they may not see.
    assert hidden > 100


def test_its_mail_keeps_no_machine_busy_for_minutes(data: DemoData) -> None:
    posts = Post.objects.filter(reply_to=None)
    mails = posts.aggregate(mails=Sum("page__followers_count"))["mails"]
    assert 800 <= mails <= 2000
    assert 5 <= User.objects.filter(email_notifications="off").count() <= 15


def test_it_is_refused_where_there_are_users(data: DemoData) -> None:
    with pytest.raises(Refused, match="users already"):
        create_demo_data(NOW)


def test_it_is_refused_in_production(data: DemoData, settings: Settings) -> None:
    settings.INNOTTER_ENV = "production"
    with pytest.raises(Refused, match="production"):
        create_demo_data(NOW)
