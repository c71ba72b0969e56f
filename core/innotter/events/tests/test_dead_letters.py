"""What died on its way is looked at, replayed without a loss, or thrown away with a reason."""

from functools import partial
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.test import Client, override_settings
from kombu import Connection, Message, Queue

from innotter.accounts.models import User
from innotter.common.errors import Invalid
from innotter.config.celery import app
from innotter.conftest import signed_in
from innotter.events import dead_letters as module
from innotter.events.dead_letters import (
    BrokerUnavailable,
    DeadLetterNotFound,
    dead_letters,
    discard,
    replay,
)
from innotter.events.models import DiscardedLetter
from innotter.events.publisher import Publisher, event_message, task_message
from innotter.events.tasks import prune_outbox
from innotter.events.tests.test_outbox import an_event
from innotter.events.tests.test_relay import arrived, greet, until
from innotter.events.tests.test_relay import celery_queue as to
from innotter_contracts.events import DEAD, HOUSEKEEPING_QUEUE, MAIL_QUEUE, STATS_QUEUE, PostLiked


def die(broker: Connection, amqp_url: str, *events: PostLiked) -> None:
    """Each is refused by the reader of statistics, and so is a task of the mail."""
    with Publisher(amqp_url) as publisher:
        for event in events:
            publisher.publish(event_message(event, event.model_dump_json()))
            task = greet.s(name="Bob").set(queue=to(MAIL_QUEUE))
            publisher.publish(task_message(task, event))
        assert publisher.confirm() == {}
    for name in (STATS_QUEUE, MAIL_QUEUE):
        queue = Queue(name, channel=broker.default_channel)
        for _ in events:
            message: Any = queue.get()
            message.reject()
        until(lambda name=name: count_dead_letters(amqp_url, name) == len(events))  # type: ignore[misc]


def count_dead_letters(amqp_url: str, queue: str) -> int:
    count, _ = dead_letters(amqp_url, queue)
    return count


def ids(messages: list[Message]) -> list[str]:
    return [message.properties["message_id"] for message in messages]


def test_looking_changes_nothing(amqp_url: str, broker: Connection) -> None:
    event = an_event()
    die(broker, amqp_url, event)
    for _ in range(3):
        count, [letter] = dead_letters(amqp_url, STATS_QUEUE)
        assert count == 1
        assert (letter.id, letter.type) == (str(event.id), "post.liked")
        assert (letter.reason, letter.count) == ("rejected", 1)
        assert letter.since
        assert letter.body == event.model_dump_json()
    _, [task] = dead_letters(amqp_url, MAIL_QUEUE)
    assert (task.id, task.type) == (f"{event.id}.innotter.mail.greet", "innotter.mail.greet")
    assert arrived(broker, STATS_QUEUE) == []


def test_all_or_one_go_back_to_their_queue(amqp_url: str, broker: Connection) -> None:
    first, second, third = (an_event() for _ in range(3))
    die(broker, amqp_url, first, second, third)
    assert replay(amqp_url, STATS_QUEUE, message_id=str(second.id)) == 1
    assert replay(amqp_url, STATS_QUEUE) == 2
    assert replay(amqp_url, STATS_QUEUE) == 0
    messages = arrived(broker, STATS_QUEUE)
    assert ids(messages) == [str(event.id) for event in (second, first, third)]
    assert messages[0].body == second.model_dump_json()
    assert {message.properties["delivery_mode"] for message in messages} == {2}

    replay(amqp_url, MAIL_QUEUE)
    [task, *_] = arrived(broker, MAIL_QUEUE)
    assert task.headers["task"] == "innotter.mail.greet"
    assert task.payload[1] == {"name": "Bob"}
    with pytest.raises(DeadLetterNotFound):
        replay(amqp_url, STATS_QUEUE, message_id=str(first.id))


def test_a_replay_that_is_cut_off_loses_nothing(
    amqp_url: str, broker: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [an_event() for _ in range(3)]
    die(broker, amqp_url, *events)
    send = module._send

    def send_and_die(producer: Any, queue: str, message: Message) -> None:
        send(producer, queue, message)
        if message.properties["message_id"] == str(events[1].id):
            raise SystemExit

    monkeypatch.setattr(module, "_send", send_and_die)
    with pytest.raises(SystemExit):
        replay(amqp_url, STATS_QUEUE)
    # The one in between is in both places.
    assert count_dead_letters(amqp_url, STATS_QUEUE) == 2
    assert ids(arrived(broker, STATS_QUEUE)) == [str(event.id) for event in events[:2]]
    monkeypatch.undo()
    assert replay(amqp_url, STATS_QUEUE) == 2


def test_what_no_queue_takes_stays_dead(
    amqp_url: str, broker: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    die(broker, amqp_url, an_event())
    send = module._send
    monkeypatch.setattr(module, "_send", lambda producer, _, message: send(producer, "no", message))
    with pytest.raises(BrokerUnavailable, match="NO_ROUTE"):
        replay(amqp_url, STATS_QUEUE)
    assert count_dead_letters(amqp_url, STATS_QUEUE) == 1


def test_what_is_thrown_away_is_gone_and_who_did_it_and_why_is_kept(
    amqp_url: str, broker: Connection, admin: User
) -> None:
    first, second, third = (an_event() for _ in range(3))
    die(broker, amqp_url, first, second, third)
    one = str(second.id)
    assert discard(amqp_url, STATS_QUEUE, reason=" A bug ", by=admin.pk, message_id=one) == 1
    with pytest.raises(DeadLetterNotFound):
        discard(amqp_url, STATS_QUEUE, reason="Again", by=None, message_id=one)
    assert discard(amqp_url, STATS_QUEUE, reason="The rest", by=None) == 2
    assert discard(amqp_url, MAIL_QUEUE, reason="Nobody reads them", by=None) == 3
    assert count_dead_letters(amqp_url, STATS_QUEUE) == 0
    assert count_dead_letters(amqp_url, MAIL_QUEUE) == 0
    assert arrived(broker, STATS_QUEUE) == []
    kept = DiscardedLetter.objects.order_by("id")
    assert [(each.reason, each.discarded_by) for each in kept] == [
        ("A bug", admin.pk),
        *[("The rest", None)] * 2,
        *[("Nobody reads them", None)] * 3,
    ]
    assert (kept[0].queue, kept[0].letter_id, kept[0].type) == (STATS_QUEUE, one, "post.liked")
    assert kept[0].died_of == "rejected"
    assert kept[5].type == "innotter.mail.greet"


@pytest.mark.django_db
@pytest.mark.parametrize("reason", ["", " ", "a\nb", "x" * 501])
def test_without_a_reason_nothing_is_thrown_away(
    amqp_url: str, broker: Connection, reason: str
) -> None:
    die(broker, amqp_url, an_event())
    with pytest.raises(Invalid):
        discard(amqp_url, STATS_QUEUE, reason=reason, by=None)
    assert count_dead_letters(amqp_url, STATS_QUEUE) == 1
    assert not DiscardedLetter.objects.exists()


@pytest.mark.django_db
def test_what_cannot_be_kept_stays_dead(
    amqp_url: str, broker: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    die(broker, amqp_url, an_event())

    def lost(**_: object) -> None:
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(DiscardedLetter.objects, "create", lost)
    with pytest.raises(OperationalError):
        discard(amqp_url, STATS_QUEUE, reason="x", by=None)
    assert count_dead_letters(amqp_url, STATS_QUEUE) == 1


@pytest.mark.django_db
def test_whatever_a_stranger_wrote_can_be_thrown_away(amqp_url: str, broker: Connection) -> None:
    with broker.Producer() as producer:
        odd = {"id": "a\0b", "task": "\0", "reason": "x\0" * 900}
        producer.publish(b"\xff", exchange="", routing_key=STATS_QUEUE + DEAD, headers=odd)
    until(partial(count_dead_letters, amqp_url, STATS_QUEUE))  # type: ignore[arg-type]
    assert discard(amqp_url, STATS_QUEUE, reason="Not ours", by=None) == 1
    assert DiscardedLetter.objects.get().letter_id == "a\ufffdb"


def test_what_is_no_message_of_ours_is_shown_too(amqp_url: str, broker: Connection) -> None:
    with broker.Producer() as producer:
        producer.publish(b"\xff", exchange="", routing_key=STATS_QUEUE + DEAD)
    until(partial(count_dead_letters, amqp_url, STATS_QUEUE))  # type: ignore[arg-type]
    _, [letter] = dead_letters(amqp_url, STATS_QUEUE)
    assert (letter.id, letter.count, letter.body) == ("", 0, "\ufffd")


def test_a_turn_of_the_clock_that_nobody_takes_is_no_dead_letter(
    amqp_url: str, broker: Connection
) -> None:
    with broker.Producer() as producer:
        app.tasks[prune_outbox.name].apply_async(producer=producer, expires=60)
    [message] = arrived(broker, HOUSEKEEPING_QUEUE)
    assert "expiration" not in message.properties
    # By this the worker knows that it comes too late.
    assert message.headers["expires"]


def test_the_command_lists_and_replays(amqp_url: str, broker: Connection) -> None:
    event = an_event()
    die(broker, amqp_url, event)
    said = StringIO()
    with override_settings(AMQP_URL=amqp_url):
        call_command("dead_letters", "list", STATS_QUEUE, stdout=said)
        assert str(event.id) in said.getvalue()
        assert "rejected, 1 times" in said.getvalue()
        with pytest.raises(DeadLetterNotFound, match="no dead letter"):
            call_command("dead_letters", "replay", STATS_QUEUE, "--id", "x", stdout=said)
        call_command("dead_letters", "replay", STATS_QUEUE, stdout=said)
    assert said.getvalue().endswith("1 in all.\n1 replayed.\n")


@pytest.mark.django_db
def test_the_command_throws_away(amqp_url: str, broker: Connection) -> None:
    die(broker, amqp_url, an_event())
    said = StringIO()
    with override_settings(AMQP_URL=amqp_url):
        with pytest.raises(CommandError, match="needs a --reason"):
            call_command("dead_letters", "discard", MAIL_QUEUE)
        call_command("dead_letters", "discard", MAIL_QUEUE, "--reason", "x", stdout=said)
    assert said.getvalue() == "1 discarded.\n"
    assert DiscardedLetter.objects.get().discarded_by is None


# In the admin panel

URL = "/admin/events/outboxevent/dead-letters/"


def test_the_panel_shows_and_replays(browser: Client, amqp_url: str, broker: Connection) -> None:
    first, second = an_event(), an_event()
    die(broker, amqp_url, first, second)
    with override_settings(AMQP_URL=amqp_url):
        assert URL in browser.get("/admin/events/outboxevent/").content.decode()
        shown = browser.get(URL).content.decode()
        assert str(first.id) in shown
        assert "innotter.mail.greet" in shown
        one = {"queue": STATS_QUEUE, "id": str(first.id)}
        done = browser.post(URL, one, follow=True)
        assert [str(message) for message in done.context["messages"]] == ["Replayed: 1."]
        gone = browser.post(URL, one, follow=True)
        assert "no dead letter" in str(*gone.context["messages"])
        browser.post(URL, {"queue": STATS_QUEUE})
    assert ids(arrived(broker, STATS_QUEUE)) == [str(first.id), str(second.id)]
    assert browser.post(URL, {"queue": "no.such.queue"}).status_code == 404


def test_the_panel_throws_away(
    browser: Client, admin: User, amqp_url: str, broker: Connection
) -> None:
    first, second = an_event(), an_event()
    die(broker, amqp_url, first, second)
    with override_settings(AMQP_URL=amqp_url):
        blank = browser.post(URL, {"queue": STATS_QUEUE, "reason": " "}, follow=True)
        assert [message.level_tag for message in blank.context["messages"]] == ["error"]
        one = {"queue": STATS_QUEUE, "id": str(first.id), "reason": "A bug of ours"}
        done = browser.post(URL, one, follow=True)
        assert [str(message) for message in done.context["messages"]] == ["Thrown away: 1."]
        assert count_dead_letters(amqp_url, STATS_QUEUE) == 1
        browser.post(URL, {"queue": STATS_QUEUE, "reason": "And the other"})
    assert arrived(broker, STATS_QUEUE) == []
    listed = browser.get("/admin/events/discardedletter/", {"q": str(first.id)}).content.decode()
    assert "A bug of ours" in listed
    assert str(admin.pk) in listed
    assert "And the other" not in listed


def test_the_panel_says_that_the_broker_is_away(browser: Client) -> None:
    with override_settings(AMQP_URL="amqp://guest:guest@127.0.0.1:1//"):
        assert "RabbitMQ does not answer" in browser.get(URL).content.decode()
        done = browser.post(URL, {"queue": STATS_QUEUE}, follow=True)
        assert "RabbitMQ does not answer" in done.content.decode()


def test_nobody_but_an_admin_sees_them(eve: User, moderator: User) -> None:
    for outsider in (None, eve, moderator):
        browser = signed_in(outsider) if outsider else Client()
        assert browser.get(URL).status_code == 302
        for form in ({}, {"reason": "x"}):
            answer = browser.post(URL, {"queue": STATS_QUEUE, **form})
            assert answer["Location"].startswith("/admin/login")
