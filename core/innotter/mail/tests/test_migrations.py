"""Deliveries of the version before keep what became of them, under its new name."""

from importlib import import_module
from types import SimpleNamespace
from unittest.mock import patch

from django.db import connection

from innotter.conftest import new_user
from innotter.mail.models import Delivery
from innotter.posts.models import Post

MIGRATION = import_module("innotter.mail.migrations.0004_outcomes_turns_and_refusals")


def test_states_are_renamed_batch_by_batch_and_back(post: Post) -> None:
    former = ["doubtful", "left out", "sent", "left out", "waiting"]
    for n, state in enumerate(former):
        Delivery.objects.create(
            page=post.page, post=post, recipient=new_user(f"reader{n}"), state=state
        )
    editor = SimpleNamespace(connection=connection)
    with patch.object(MIGRATION, "BATCH", 2):
        MIGRATION.rename(MIGRATION.NEW)(None, editor)
        assert states() == ["unknown", "skipped", "sent", "skipped", "waiting"]
        MIGRATION.rename(MIGRATION.OLD)(None, editor)
    assert states() == former


def states() -> list[str]:
    return list(Delivery.objects.order_by("id").values_list("state", flat=True))
