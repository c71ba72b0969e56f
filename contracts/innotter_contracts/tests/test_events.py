import json
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import pytest

from innotter_contracts import events
from innotter_contracts.events import (
    Envelope,
    Event,
    InvalidEvent,
    NewerEvent,
    PostCreated,
    parse_event,
)
from innotter_contracts.ids import new_id
from innotter_contracts.tests.samples import SAMPLES

REPOSITORY = Path(__file__).parents[3]
TYPES: tuple[type[Envelope], ...] = get_args(get_args(Event)[0])


def sample(**changes: Any) -> dict[str, Any]:
    """A like as it travels, with `changes`; a field changed to None is left out."""
    path = next(path for path in SAMPLES if path.name == "post.liked.v2.json")
    fields = {**json.loads(path.read_text()), **changes}
    return {name: value for name, value in fields.items() if value is not None}


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_every_sample_is_read_and_would_be_written_the_same(path: Path) -> None:
    written = json.loads(path.read_text())
    event = parse_event(path.read_bytes())
    assert path.name.startswith(f"{event.type}.")
    assert path.name.endswith(f".v{event.version}.json")
    assert event.model_dump(mode="json", exclude_unset=True) == written


@pytest.mark.parametrize("model", TYPES)
def test_every_type_has_a_sample_of_its_present_version(model: type[Envelope]) -> None:
    name = model.model_fields["type"].default
    version = model.model_fields["version"].default
    there = {path.name for path in SAMPLES}
    assert f"{name}.v{version}.json" in there, f'make sample ARGS="{name}.v{version}" writes it'


def test_there_is_a_sample_of_an_older_version() -> None:
    assert any(parse_event(path.read_bytes()).version < 2 for path in SAMPLES)


def test_what_is_written_is_read_back() -> None:
    event = PostCreated(
        actor=new_id(), payload=PostCreated.Payload(post_id=new_id(), page_id=new_id())
    )
    assert parse_event(event.model_dump_json()) == event


def test_fields_that_a_newer_core_adds_are_ignored() -> None:
    payload = {**sample()["payload"], "mood": "happy"}
    event = parse_event(json.dumps(sample(payload=payload, added_later={"a": 1})))
    assert event == parse_event(json.dumps(sample()))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"{}",
        json.dumps(sample(type=None)).encode(),
        json.dumps(sample(type="a secret")).encode(),
        json.dumps(sample(version=0)).encode(),
        json.dumps(sample(type="post.exploded", version="new")).encode(),
        json.dumps(sample(type="post.exploded", id=None)).encode(),
        # Without them an event would be another one at each delivery.
        json.dumps(sample(id=None)).encode(),
        json.dumps(sample(version=None)).encode(),
        json.dumps(sample(occurred_at=None)).encode(),
        json.dumps(sample(occurred_at="2026-11-20T09:15:00")).encode(),
        json.dumps(sample(payload={})).encode(),
    ],
)
def test_anything_else_is_no_event(body: bytes) -> None:
    with pytest.raises(InvalidEvent) as refusal:
        parse_event(body)
    assert not isinstance(refusal.value, NewerEvent)


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "post.exploded"},
        {"type": "post.exploded", "payload": {"of": "whatever form"}},
        # It means something that this reader would misread.
        {"version": 3},
        {"type": "page.changed", "version": 4},
    ],
)
def test_what_a_later_release_brings_is_known_as_such(changes: dict[str, Any]) -> None:
    with pytest.raises(NewerEvent) as refusal:
        parse_event(json.dumps(sample(**changes)))
    assert refusal.value.occurred_at == datetime.fromisoformat(sample()["occurred_at"])


def test_the_reason_does_not_repeat_what_was_sent() -> None:
    with pytest.raises(InvalidEvent) as refusal:
        parse_event(json.dumps(sample(actor="private words", payload={"page_id": "more of them"})))
    assert "private" not in str(refusal.value)
    assert "more" not in str(refusal.value)


def test_the_broker_has_the_places_that_events_travel_through() -> None:
    topology = json.loads((REPOSITORY / "deploy/rabbitmq/definitions.json").read_text())
    queues = {queue["name"] for queue in topology["queues"]}
    assert {events.STATS_QUEUE, events.MAIL_QUEUE, events.HOUSEKEEPING_QUEUE} <= queues
    assert events.EXCHANGE in {exchange["name"] for exchange in topology["exchanges"]}
    assert (events.EXCHANGE, events.STATS_QUEUE) in {
        (binding["source"], binding["destination"]) for binding in topology["bindings"]
    }
