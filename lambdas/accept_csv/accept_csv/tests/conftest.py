from collections.abc import Iterator
from unittest.mock import Mock

import pytest

from accept_csv import handler

MAX_BYTES = 4096


@pytest.fixture(autouse=True)
def _variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUCKET", "the-bucket")
    monkeypatch.setenv("MAX_BYTES", str(MAX_BYTES))


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mock]:
    """In the place of S3; a refusal must have left no trace here."""
    client = Mock(spec=["put_object"])
    monkeypatch.setattr(handler, "s3", lambda: client)
    yield client
    for call in client.put_object.call_args_list:
        assert call.kwargs["Bucket"] == "the-bucket"
