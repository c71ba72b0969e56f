"""`manage.py trace_post` says where a post's effects stand."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from innotter.accounts.models import User
from innotter.conftest import new_post
from innotter.events.models import OutboxEvent
from innotter.mail.queueing import queue_deliveries
from innotter.pages.models import Page
from innotter.posts.models import Post


def trace(post_id: object) -> str:
    said = StringIO()
    call_command("trace_post", str(post_id), stdout=said)
    return said.getvalue()


@pytest.mark.usefixtures("aws")
def test_it_follows_a_post_on_its_way(bob: User, post: Post) -> None:
    event = OutboxEvent.objects.get(type="post.created")
    said = trace(post.id)
    assert f"post on {post.page.uuid}" in said
    assert str(event.id) in said
    assert "waits for the relay" in said
    assert "none yet" in said
    assert "not counted yet" in said

    event.next_attempt_at, event.error = timezone.now() + timedelta(minutes=1), "no queue"
    event.save()
    assert "deferred until" in trace(post.id)
    assert "no queue" in trace(post.id)

    event.published_at = timezone.now()
    event.save()
    queue_deliveries(post.id)
    said = trace(post.id)
    assert "published" in said
    assert "waiting: 1" in said


def test_of_a_deleted_post_it_knows_the_event(page: Page) -> None:
    post_id = new_post(page).id
    Post.objects.filter(pk=post_id).delete()
    said = trace(post_id)
    assert "deleted, or never there" in said
    assert "waits for the relay" in said
    OutboxEvent.objects.all().delete()
    assert "not in the outbox" in trace(post_id)


def test_what_is_no_id_of_a_post_is_refused() -> None:
    with pytest.raises(CommandError, match="no id of a post"):
        trace("6f9619ff-8b86-4011-b42d-00c04fc964ff")
