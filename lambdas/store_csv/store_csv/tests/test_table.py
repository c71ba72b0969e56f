"""DynamoDB: versions that do not disturb each other, and patience with a busy table."""

import random
from typing import Any
from unittest.mock import Mock

import pandas as pd
import pytest
from botocore.exceptions import ClientError

from store_csv import table
from store_csv.table import OutOfTime, Table
from store_csv.tests.resources import TableOfRows


def table_of(rows: TableOfRows, file: str, *, client: Any = None, seconds: float = 60) -> Table:
    return Table(client or rows.client, rows.name, file, remaining=lambda: seconds)


def frame_of(*keys: str) -> pd.DataFrame:
    return pd.DataFrame({"id": keys}, dtype=str, index=list(range(1, len(keys) + 1)))


def put(target: Table, version: str, *keys: str) -> None:
    assert target.announce(version)
    target.put(version, frame_of(*keys), set(), "id")


def test_rows_are_there_when_their_version_counts(rows: TableOfRows) -> None:
    target = table_of(rows, "one.csv")
    put(target, "1", "a", "b")
    assert rows.of("one.csv") == {}
    assert target.publish("1")
    assert rows.of("one.csv") == {"a": {"id": {"S": "a"}}, "b": {"id": {"S": "b"}}}


def test_a_newer_version_replaces_all_rows_at_once(rows: TableOfRows) -> None:
    target = table_of(rows, "two.csv")
    put(target, "1", *map(str, range(60)))
    assert target.publish("1")
    put(target, "2", "b")
    assert len(rows.of("two.csv")) == 60
    assert target.publish("2")
    target.clear_older("2")
    assert set(rows.of("two.csv")) == {"b"}
    assert rows.of_version("two.csv", "1") == {}
    assert rows.file("two.csv")["versions"] == {"SS": ["2"]}


def test_an_older_version_never_counts_again(rows: TableOfRows) -> None:
    target = table_of(rows, "three.csv")
    put(target, "1", "old")
    put(target, "2", "new")
    assert target.publish("2")
    assert not target.publish("1")
    assert not target.announce("1")
    target.clear("1")
    assert set(rows.of("three.csv")) == {"new"}
    assert rows.of_version("three.csv", "1") == {}


def test_numbers_stay_exact_and_text_stays_text(rows: TableOfRows) -> None:
    target = table_of(rows, "exact.csv")
    frame = pd.DataFrame(
        {
            "id": ["007", "8"],
            "sum": [
                " 0.1000000000000000055511151231257827 ",
                "-12345678901234567890123456789012345678",
            ],
            "note": [" a ", "2"],
        },
        dtype=str,
        index=[1, 5],
    )
    assert target.announce("1")
    target.put("1", frame, {"sum"}, "id")
    assert target.publish("1")
    assert rows.of("exact.csv") == {
        "007": {
            "id": {"S": "007"},
            "sum": {"N": "0.1000000000000000055511151231257827"},
            "note": {"S": " a "},
        },
        "8": {
            "id": {"S": "8"},
            "sum": {"N": "-12345678901234567890123456789012345678"},
            "note": {"S": "2"},
        },
    }


def test_without_a_key_rows_lie_in_the_order_of_the_file(rows: TableOfRows) -> None:
    target = table_of(rows, "unkeyed.csv")
    frame = pd.DataFrame({"name": ["x", "x"]}, dtype=str, index=[9, 10])
    assert target.announce("1")
    target.put("1", frame, set(), None)
    target.publish("1")
    assert list(rows.of("unkeyed.csv")) == ["000000000009", "000000000010"]


# --- A table that is busy


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    taken: list[float] = []

    def nap(seconds: float) -> None:
        taken.append(seconds)
        assert len(taken) < 100, "it never gives up"

    monkeypatch.setattr("store_csv.table.time.sleep", nap)
    return taken


def busy_client(rows: TableOfRows, *, takes: int) -> Mock:
    """DynamoDB that takes so many of each batch, and gives the rest back."""

    def write(*, RequestItems: Any) -> Any:  # noqa: N803 (boto3's word)
        [requests] = RequestItems.values()
        rest = requests[takes:]
        if requests[:takes]:
            rows.client.batch_write_item(RequestItems={rows.name: requests[:takes]})
        return {"UnprocessedItems": {rows.name: rest} if rest else {}}

    client = Mock(wraps=rows.client, exceptions=rows.client.exceptions)
    client.batch_write_item.side_effect = write
    return client


def test_what_was_not_processed_is_sent_again(rows: TableOfRows, naps: list[float]) -> None:
    keys = [str(number) for number in range(60)]
    client = busy_client(rows, takes=6)
    target = table_of(rows, "busy.csv", client=client)
    put(target, "1", *keys)
    target.publish("1")
    assert set(rows.of("busy.csv")) == set(keys)
    sent = [
        len(call.kwargs["RequestItems"][rows.name]) for call in client.batch_write_item.mock_calls
    ]
    assert max(sent) == 25
    assert len(naps) == 4 + 4 + 1


def test_delays_double_up_to_a_bound_and_never_agree(
    rows: TableOfRows, naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    client = busy_client(rows, takes=2)
    put(table_of(rows, "slow.csv", client=client), "1", *map(str, range(25)))
    assert naps == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0, 5.0, 5.0]


@pytest.mark.usefixtures("naps")
def test_it_gives_up_while_there_is_time_to_say_so(rows: TableOfRows) -> None:
    client = busy_client(rows, takes=0)
    target = table_of(rows, "full.csv", client=client, seconds=table.MARGIN)
    with pytest.raises(OutOfTime):
        put(target, "1", "a")
    assert client.batch_write_item.call_count == 1


@pytest.mark.parametrize(
    "code",
    ["ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException"],
)
def test_a_refusal_for_being_busy_is_patience_too(
    code: str, rows: TableOfRows, naps: list[float]
) -> None:
    client = Mock(wraps=rows.client, exceptions=rows.client.exceptions)
    busy = ClientError({"Error": {"Code": code, "Message": ""}}, "BatchWriteItem")
    client.batch_write_item.side_effect = [busy, {"UnprocessedItems": {}}]
    put(table_of(rows, "throttled.csv", client=client), "1", "a")
    assert len(naps) == 1


@pytest.mark.usefixtures("naps")
def test_any_other_refusal_is_raised(rows: TableOfRows) -> None:
    client = Mock(wraps=rows.client, exceptions=rows.client.exceptions)
    client.batch_write_item.side_effect = ClientError(
        {"Error": {"Code": "ValidationException", "Message": ""}}, "BatchWriteItem"
    )
    with pytest.raises(ClientError, match="ValidationException"):
        put(table_of(rows, "invalid.csv", client=client), "1", "a")
