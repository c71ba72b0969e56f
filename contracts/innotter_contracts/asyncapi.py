"""The document of the events, as OpenAPI is that of the calls.

`python -m innotter_contracts.asyncapi` prints it as AsyncAPI 3, with `--for-people` as a page of
Markdown: both are the same for the same code, and lie in docs.
"""

import inspect
import json
import sys
from importlib.resources import files
from typing import Any, get_args

from pydantic.json_schema import models_json_schema

from innotter_contracts import events
from innotter_contracts.counting import Delta, deltas
from innotter_contracts.events import EXCHANGE, STATS_QUEUE, Envelope, Event, parse_event

TYPES: tuple[type[Envelope], ...] = get_args(get_args(Event)[0])
SAMPLES = files("innotter_contracts") / "samples"


def document() -> dict[str, Any]:
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Innotter's events",
            "version": "2",
            "description": inspect.getdoc(events),
        },
        "defaultContentType": "application/json",
        "channels": {
            "events": {
                "address": EXCHANGE,
                "description": "A durable topic exchange. The routing key is the event's type.",
                "bindings": {
                    "amqp": {
                        "is": "routingKey",
                        "exchange": {"name": EXCHANGE, "type": "topic", "durable": True},
                    }
                },
                "messages": {_name(model): _message_ref(model) for model in TYPES},
            }
        },
        "operations": {
            "coreTells": {
                "action": "send",
                "channel": {"$ref": "#/channels/events"},
                "summary": "The core's relay publishes what the outbox owes, at least once.",
                "bindings": {"amqp": {"deliveryMode": 2, "mandatory": True}},
            },
            "statisticsCounts": {
                "action": "receive",
                "channel": {"$ref": "#/channels/events"},
                "summary": f"The queue `{STATS_QUEUE}` is bound to all of them.",
                "bindings": {"amqp": {"ack": True}},
            },
        },
        "components": {
            "messages": {model.__name__: _message(model) for model in TYPES},
            "schemas": _schemas(),
        },
    }


def page() -> str:
    """For people: what each event says, and what it adds to statistics."""
    rows = [
        f"| `{_name(model)}` | {_told(model)} | {_fields(model)} | {_counted(model)} |"
        for model in TYPES
    ]
    return "\n".join(
        [
            "# The events",
            "",
            "Written by `make schemas` from `contracts/innotter_contracts/events.py`.",
            "For programs: [asyncapi/events.json](asyncapi/events.json).",
            "",
            f"Every event travels through the exchange `{EXCHANGE}` with its type as routing key,",
            "at least once and in no certain order. Around the payload each has `id` (a reader",
            "that has seen it has seen the event), `version`, `type`, `occurred_at`, `actor`,",
            "`request_id`, and, of pages that were recounted, `epochs`",
            "([decision 26](decisions/0026-recounting-begins-an-epoch.md)).",
            "",
            "| type | besides | payload | statistics, in total and on the day |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )


def main(words: list[str]) -> None:
    if words == ["--for-people"]:
        sys.stdout.write(page())
    else:
        json.dump(document(), sys.stdout, indent=2, sort_keys=True, ensure_ascii=False)
        sys.stdout.write("\n")


def _name(model: type[Envelope]) -> str:
    return str(model.model_fields["type"].default)


def _message_ref(model: type[Envelope]) -> dict[str, str]:
    return {"$ref": f"#/components/messages/{model.__name__}"}


def _message(model: type[Envelope]) -> dict[str, Any]:
    return {
        "name": _name(model),
        "title": _name(model),
        "description": _told(model),
        "contentType": "application/json",
        "correlationId": {"location": "$message.payload#/request_id"},
        "payload": {"$ref": f"#/components/schemas/{model.__name__}"},
        "examples": [{"payload": sample} for sample in _samples(model)],
        "bindings": {"amqp": {"contentEncoding": "utf-8", "messageType": _name(model)}},
    }


def _schemas() -> dict[str, Any]:
    _, definitions = models_json_schema(
        [(model, "validation") for model in TYPES], ref_template="#/components/schemas/{model}"
    )
    # A payload has the name of its event, and not that of its Python module.
    text = json.dumps(definitions["$defs"])
    for model in TYPES:
        long = f"{model.__module__}.{model.__name__}.".replace(".", "__")
        text = text.replace(f"{long}Payload", f"{model.__name__}Payload")
    schemas: dict[str, Any] = json.loads(text)
    for model in TYPES:
        # The defaults are for those who make an event; what travels names all of these.
        schemas[model.__name__]["required"] = [
            "id",
            "version",
            "occurred_at",
            "actor",
            "type",
            "payload",
        ]
    return schemas


def _samples(model: type[Envelope]) -> list[Any]:
    names = sorted(file.name for file in SAMPLES.iterdir() if file.name.endswith(".json"))
    found = (json.loads((SAMPLES / name).read_text()) for name in names)
    return [sample for sample in found if sample["type"] == _name(model)]


def _told(model: type[Envelope]) -> str:
    return " ".join((model.__dict__.get("__doc__") or "").split())


def _fields(model: type[Envelope]) -> str:
    payload = model.model_fields["payload"].annotation
    assert payload
    return ", ".join(f"`{name}`" for name in payload.model_fields)


def _counted(model: type[Envelope]) -> str:
    """By its samples, each way of counting once."""
    samples = (deltas(parse_event(json.dumps(sample))) for sample in _samples(model))
    ways = {", ".join(map(_step, way)) for way in samples if way}
    return "; or ".join(sorted(ways))


def _step(delta: Delta) -> str:
    amount = "1" if abs(delta.amount) == 1 else "n"
    return f"{delta.metric} {'+' if delta.amount > 0 else '−'}{amount}"


if __name__ == "__main__":
    main(sys.argv[1:])
