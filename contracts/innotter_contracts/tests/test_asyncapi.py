import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from innotter_contracts.asyncapi import TYPES, document, page
from innotter_contracts.tests.samples import SAMPLES


def resolved(document: Any, reference: str) -> Any:
    found = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def references(part: Any) -> list[str]:
    match part:
        case {"$ref": str(reference)}:
            return [reference]
        case dict():
            return [found for value in part.values() for found in references(value)]
        case list():
            return [found for value in part for found in references(value)]
        case _:
            return []


def test_every_type_is_a_message_and_every_reference_leads_somewhere() -> None:
    whole = document()
    assert whole["asyncapi"].startswith("3.")
    messages = whole["channels"]["events"]["messages"]
    assert set(messages) == {model.model_fields["type"].default for model in TYPES}
    for reference in references(whole):
        assert resolved(whole, reference)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_every_sample_is_as_the_document_says(path: Path) -> None:
    whole = document()
    sample = json.loads(path.read_text())
    message = resolved(whole, whole["channels"]["events"]["messages"][sample["type"]]["$ref"])
    assert {"payload": sample} in message["examples"]
    Draft202012Validator({**whole, **message["payload"]}).validate(sample)
    del sample["id"]
    assert not Draft202012Validator({**whole, **message["payload"]}).is_valid(sample)


def test_people_find_every_type_too() -> None:
    assert all(f"| `{model.model_fields['type'].default}` |" in page() for model in TYPES)
