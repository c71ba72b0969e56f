"""The function on the emulator: from an event to the rows and the report."""

import random
from typing import Any

import pytest

from store_csv import handler
from store_csv.sources import sources_in
from store_csv.table import OutOfTime, Table
from store_csv.tests.resources import Bucket, Context, Event, TableOfRows, event_of

pytestmark = pytest.mark.usefixtures("_deployed")


def run(event: Event, context: Context | None = None) -> None:
    handler.handle(event, context or Context())


def version_in(event: Event) -> str:
    return next(sources_in(event)).sequencer


def test_rows_and_report(bucket: Bucket, rows: TableOfRows) -> None:
    key = "uploads/Наши люди + гости.csv"
    event = bucket.write(
        key,
        "\ufeffid;имя;рост\r\n"
        "1;Анна;170,5\r\n"
        "2;;160\r\n"
        '3;"Борис\r\nI";180\r\n'
        "3;Ещё один;1\r\n"
        "4;x\r\n",
        metadata={"original-name": "%D0%BB%D1%8E%D0%B4%D0%B8.csv"},
    )
    run(event)
    assert rows.of(key) == {
        "1": {"id": {"N": "1"}, "имя": {"S": "Анна"}, "рост": {"S": "170,5"}},
        "3": {"id": {"N": "3"}, "имя": {"S": "Борис\r\nI"}, "рост": {"S": "180"}},
    }
    report = bucket.report(key)
    assert report.pop("finished_at").endswith("Z")
    assert report == {
        "sequencer": version_in(event),
        "source": key,
        "original_name": "люди.csv",
        "status": "stored",
        "delimiter": ";",
        "columns": {"id": "number", "имя": "text", "рост": "text"},
        "key_column": "id",
        "rows": {"read": 5, "kept": 2, "dropped": 1, "rejected": 2},
        "dropped": {
            "null_value": {
                "count": 1,
                "examples": [{"row": 2, "detail": "no value in имя"}],
                "columns": {"id": 0, "имя": 1, "рост": 0},
            }
        },
        "rejected": {
            "duplicate_key": {
                "count": 1,
                "examples": [{"row": 4, "detail": "id 3 was there before"}],
            },
            "wrong_number_of_fields": {
                "count": 1,
                "examples": [{"row": 5, "detail": "2 fields, the header has 3"}],
            },
        },
    }


def test_an_event_twice_changes_nothing(bucket: Bucket, rows: TableOfRows) -> None:
    event = bucket.write("twice.csv", "id,name\n1,Anna\n2,Boris\n")
    run(event)
    before = rows.of("twice.csv"), rows.file("twice.csv")
    run(event)
    assert (rows.of("twice.csv"), rows.file("twice.csv")) == before


def test_events_in_any_order_end_the_same(bucket: Bucket, rows: TableOfRows) -> None:
    draw = random.Random(3)
    for attempt in range(2):
        key = f"order {attempt}.csv"
        events = [bucket.write(key, f"id,name\n{n},x\n9,version {n}\n") for n in range(3)]
        for event in draw.sample(events * 2, 6):
            run(event)
        assert rows.of(key) == {
            "2": {"id": {"N": "2"}, "name": {"S": "x"}},
            "9": {"id": {"N": "9"}, "name": {"S": "version 2"}},
        }
        newest = version_in(events[-1])
        assert bucket.report(key)["sequencer"] == newest
        for event in events[:-1]:
            assert rows.of_version(key, version_in(event)) == {}


def test_a_newer_version_that_comes_while_an_older_is_being_stored(
    bucket: Bucket, rows: TableOfRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = bucket.write("meanwhile.csv", "id,name\n1,older\n")
    newer = bucket.write("meanwhile.csv", "id,name\n2,newer\n")
    real = Table.put

    def newer_first(*words: Any) -> None:
        monkeypatch.setattr(Table, "put", real)
        run(newer)
        real(*words)

    monkeypatch.setattr(Table, "put", newer_first)
    run(older)
    assert rows.of("meanwhile.csv") == {"2": {"id": {"N": "2"}, "name": {"S": "newer"}}}
    assert rows.of_version("meanwhile.csv", version_in(older)) == {}
    assert bucket.report("meanwhile.csv")["sequencer"] == version_in(newer)


def test_a_run_that_broke_off_is_completed_by_the_next(
    bucket: Bucket, rows: TableOfRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = bucket.write("broken.csv", "id,name\n1,Anna\n2,Boris\n")
    with monkeypatch.context() as patch:
        patch.setattr(Table, "publish", lambda *_: (_ for _ in ()).throw(OutOfTime))
        with pytest.raises(OutOfTime):
            run(event)
    assert rows.of("broken.csv") == {}
    assert bucket.report("broken.csv") is None
    run(event)
    assert set(rows.of("broken.csv")) == {"1", "2"}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_file"),
        (b"id,name\n1,An\x00na\n", "binary_content"),
        ("id,имя\n".encode("cp1251"), "not_utf8"),
        (b'id,name\n1,"Anna\n', "malformed_csv"),
    ],
)
def test_a_file_that_is_no_csv_is_reported_and_replaces_nothing(
    content: bytes, code: str, bucket: Bucket, rows: TableOfRows
) -> None:
    key = f"{code}.csv"
    run(bucket.write(key, "id,name\n1,Anna\n"))
    run(bucket.write(key, content))
    report = bucket.report(key)
    assert (report["status"], report["refusal"]["code"]) == ("refused", code)
    assert set(rows.of(key)) == {"1"}


def test_a_header_alone_is_a_file_without_rows(bucket: Bucket, rows: TableOfRows) -> None:
    run(bucket.write("header.csv", "id,name\n1,Anna\n"))
    run(bucket.write("header.csv", "id,name\n"))
    assert bucket.report("header.csv")["rows"]["read"] == 0
    assert rows.of("header.csv") == {}


def test_a_file_of_several_chunks(
    bucket: Bucket, rows: TableOfRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store_csv.rows.CHUNK", 60)
    count = 130
    lines = (f"{number},{'' if number % 10 == 3 else number}\n" for number in range(count))
    run(bucket.write("many.csv", "id,value\n" + "".join(lines)))
    report = bucket.report("many.csv")
    assert report["rows"] == {
        "read": count,
        "kept": count - count // 10,
        "dropped": count // 10,
        "rejected": 0,
    }
    assert len(rows.of("many.csv")) == report["rows"]["kept"]


def test_what_is_gone_is_left_alone(bucket: Bucket, rows: TableOfRows) -> None:
    run(event_of(bucket.name, "gone.csv"))
    assert bucket.report("gone.csv") is None
    assert rows.file("gone.csv") == {}


def test_clients_are_made_once() -> None:
    assert handler.s3() is handler.s3()
    assert handler.dynamodb() is handler.dynamodb()
