"""What the core emits is what the contracts' golden samples show, and goes where they say."""

import json
import os
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from dev.assertions import assert_table
from innotter.accounts.leaving import leave, restore
from innotter.accounts.models import User
from innotter.accounts.services import edit_user
from innotter.config.reactions import reactions_to
from innotter.conftest import CLIENT, PASSWORD, make_follower, new_page, new_post, new_user
from innotter.deletion.services import delete_account
from innotter.events.models import OutboxEvent
from innotter.moderation.services import block_user, unblock_user
from innotter.pages.follows import follow, reject_requests, unfollow
from innotter.pages.models import Page
from innotter.pages.services import delete_page, edit_page
from innotter.posts.models import Post
from innotter.posts.services import delete_post, like, unlike
from innotter.statistics.services import recount, restate
from innotter_contracts.events import (
    DEAD,
    DELAYS,
    EXCHANGE,
    NEWEST,
    QUEUES,
    parse_event,
)
from innotter_contracts.ids import new_id

SAMPLES = Path(str(files("innotter_contracts") / "samples"))
DEFINITIONS = Path(__file__).parents[4] / "deploy" / "rabbitmq" / "definitions.json"


def like_and_unlike(user: User, post: Post) -> None:
    like(actor=user, post=post)
    unlike(actor=user, post=post)


def block_and_unblock(user: User) -> None:
    admin = new_user("an-admin", role=User.Role.ADMIN)
    block_user(actor=admin, user=user)
    unblock_user(actor=admin, user=user)


def block_and_restate(user: User) -> None:
    block_user(actor=new_user("an-admin", role=User.Role.ADMIN), user=user)
    restate(user_ids=[user.pk])


def leave_and_stay(user: User) -> None:
    leave(actor=user, client=CLIENT, current_password=PASSWORD, session_id=None)
    restore(actor=user)


def follow_and_unfollow(user: User, page: Page) -> None:
    follow(actor=user, page=page)
    unfollow(actor=user, page=page)


def ask_in_vain(user: User, page: Page) -> None:
    follow(actor=user, page=page)
    reject_requests(actor=page.owner, page=page)


def delete_page_with_reply(page: Page) -> None:
    new_post(page, reply_to=new_post(new_page(page.owner)))
    delete_page(actor=page.owner, page=page)


def delete_liked_post(page: Page, *users: User) -> None:
    post = new_post(page)
    for user in users:
        like(actor=user, post=post)
    delete_post(actor=page.owner, post=post)


def recount_page_with_liked_post(page: Page, user: User) -> None:
    like(actor=user, post=new_post(page))
    recount(page_id=page.id)


# Each sample, and something that a person does to make the core emit such an event.
type Action = Callable[[User, User], Any]
ACTIONS: dict[str, Action] = {
    "page.created.v3": lambda ann, _: new_page(ann),
    "page.changed.v3": lambda ann, _: edit_page(actor=ann, page=new_page(ann), name="Another"),
    "page.deleted.v3": lambda ann, _: delete_page(actor=ann, page=new_page(ann)),
    "page.recounted.v3": lambda ann, eve: recount_page_with_liked_post(new_page(ann), eve),
    "page.followed.v2": lambda ann, eve: follow(actor=eve, page=new_page(ann)),
    "page.unfollowed.v2": lambda ann, eve: follow_and_unfollow(eve, new_page(ann)),
    "page.follow_requested.v2": lambda ann, eve: follow(
        actor=eve, page=new_page(ann, is_private=True)
    ),
    "page.follow_request_withdrawn.v2": lambda ann, eve: follow_and_unfollow(
        eve, new_page(ann, is_private=True)
    ),
    "page.follow_request_accepted.v2": lambda ann, eve: make_follower(
        eve, new_page(ann, is_private=True)
    ),
    "page.follow_request_rejected.v2": lambda ann, eve: ask_in_vain(
        eve, new_page(ann, is_private=True)
    ),
    "post.created.v2": lambda ann, _: new_post(new_page(ann)),
    "post.created.reply.v2": lambda ann, _: new_post(
        new_page(ann), reply_to=new_post(new_page(ann))
    ),
    "post.deleted.v2": lambda ann, eve: delete_liked_post(new_page(ann), ann, eve, new_user("joe")),
    "post.deleted.reply.v2": lambda ann, _: delete_page_with_reply(new_page(ann)),
    "post.liked.v2": lambda ann, eve: like(actor=eve, post=new_post(new_page(ann))),
    "post.unliked.v2": lambda ann, eve: like_and_unlike(eve, new_post(new_page(ann))),
    "user.blocked.v3": lambda _, eve: block_and_unblock(eve),
    "user.unblocked.v3": lambda _, eve: block_and_unblock(eve),
    "user.deletion_scheduled.v3": lambda _, eve: leave_and_stay(eve),
    "user.restored.v3": lambda _, eve: leave_and_stay(eve),
    "user.deleted.v3": lambda _, eve: delete_account(user=eve),
    "user.restated.v3": lambda _, eve: block_and_restate(eve),
    "user.notifications_changed.v2": lambda _, eve: edit_user(
        actor=eve, client=CLIENT, email_notifications="off"
    ),
}


@pytest.mark.parametrize("name", ACTIONS)
def test_emitted_events_have_the_form_of_the_golden_samples(
    name: str, ann: User, eve: User
) -> None:
    ACTIONS[name](ann, eve)
    emitted = OutboxEvent.objects.filter(type=type_of(name)).latest("id").body
    file = SAMPLES / f"{name}.json"
    if "WRITE_SAMPLES" in os.environ and not file.exists():
        event = parse_event(json.dumps({**emitted, "request_id": str(new_id())}))
        file.write_text(event.model_dump_json(indent=2, exclude_unset=True) + "\n")
    assert file.exists(), f'make sample ARGS="{name}" writes it'
    assert form(emitted) == form(json.loads(file.read_text()))


def type_of(name: str) -> str:
    return next(known for known in NEWEST if name.startswith(f"{known}."))


def test_every_type_has_its_action() -> None:
    assert_table("ACTIONS", __file__, map(type_of, ACTIONS), NEWEST)


def form(body: Any) -> Any:
    """The same structure, with what differs between two events of one form made alike."""
    match body:
        case dict():
            alike = ("request_id", "epoch", "revision")
            return {key: form(value) for key, value in body.items() if key not in alike}
        case list():
            return [form(part) for part in body]
        case str() if is_uuid(body):
            return "<id>"
        case str() if body[:2] == "20" and body[-1:] == "Z":
            return "<time>"
        case str() if "." not in body:
            return "<text>"
        case _:
            return body


def is_uuid(text: str) -> bool:
    try:
        return UUID(text).version == 7
    except ValueError:
        return False


# The only events that call for tasks; a reply is not among them.
TASKS = {
    "post.created.v2": [
        ("innotter.mail.notify_followers", {"post_id": "01a1f83c-da20-7223-9043-bc1807e6f740"}),
    ],
    "user.notifications_changed.v2": [
        ("innotter.mail.reschedule", {"user_id": "01a19b4a-4be0-71b6-b7d8-fcd2c6da6359"}),
    ],
}


@pytest.mark.parametrize("name", ACTIONS)
def test_a_post_is_mailed_and_a_choice_about_mails_moves_them(name: str) -> None:
    event = parse_event((SAMPLES / f"{name}.json").read_text())
    tasks = [(str(task.task), task.kwargs) for task in reactions_to(event)]
    assert tasks == TASKS.get(name, [])


def test_the_broker_has_the_same_names() -> None:
    definitions = json.loads(DEFINITIONS.read_text())
    assert EXCHANGE in {exchange["name"] for exchange in definitions["exchanges"]}
    queues = {queue["name"]: queue["arguments"] for queue in definitions["queues"]}
    assert set(queues) == {*(name + end for name in QUEUES for end in ("", DEAD)), *DELAYS}
    for name in QUEUES:
        assert queues[name]["x-queue-type"] == "quorum"
        assert queues[name]["x-delivery-limit"] > 0
        dead = (queues[name]["x-dead-letter-exchange"], queues[name]["x-dead-letter-routing-key"])
        bound = {(b["source"], b["routing_key"]): b["destination"] for b in definitions["bindings"]}
        assert bound[dead] == name + DEAD
        # Looking at a dead letter requeues it, and from RabbitMQ 4 on a queue without a limit of
        # its own drops what was requeued twenty times.
        assert queues[name + DEAD]["x-delivery-limit"] > 1_000


def test_each_delay_leads_a_task_back_to_its_queue_later_than_the_one_before() -> None:
    definitions = json.loads(DEFINITIONS.read_text())
    kinds = {exchange["name"]: exchange["type"] for exchange in definitions["exchanges"]}
    queues = {queue["name"]: queue["arguments"] for queue in definitions["queues"]}
    bound = {(b["source"], b["destination"]) for b in definitions["bindings"]}
    for name in DELAYS:
        # With any routing key, which names its queue and stays.
        assert kinds[name] == "fanout"
        assert (name, name) in bound
        assert queues[name] == {
            "x-queue-type": "quorum",
            "x-message-ttl": int(name.rpartition(".")[2]) * 1000,
            "x-dead-letter-exchange": "celery",
            # The broker lets go of it when the other queue has it.
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        }
    waits = [queues[name]["x-message-ttl"] for name in DELAYS]
    assert waits == sorted(waits)
    assert waits[-1] == 60_000
