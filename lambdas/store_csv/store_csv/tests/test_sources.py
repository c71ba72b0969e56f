"""Events of S3, and the report beside the source."""

from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError

from store_csv.sources import Gone, Source, downloaded, put_report, sources_in
from store_csv.tests.resources import Bucket, event_of


@pytest.mark.parametrize(
    "key",
    ["uploads/a.csv", "uploads/two words+plus.csv", "uploads/Люди & звери.csv", "uploads/%20.CSV"],
)
def test_keys_are_read_as_s3_writes_them(key: str) -> None:
    [source] = sources_in(event_of("bucket", key))
    assert (source.bucket, source.key, source.version_id) == ("bucket", key, None)


@pytest.mark.parametrize(
    "event",
    [
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "bucket"},
        event_of("bucket", "uploads/a.csv", name="ObjectRemoved:Delete"),
        # Were these taken, a report would wake the function that writes reports.
        event_of("bucket", "uploads/a.csv.report.json"),
    ],
)
def test_events_that_tell_of_no_file(event: Any) -> None:
    assert list(sources_in(event)) == []


def test_sequencers_are_compared_as_s3_says() -> None:
    older, longer, newer = (
        next(sources_in(event_of("bucket", "a.csv", sequencer=sequencer))).sequencer
        for sequencer in ("0055AED6DCD90281E5", "0055aed6dcd90281e501", "0055AED6DCD90281E6")
    )
    assert older < longer < newer


def source_of(event: Any) -> Source:
    return next(sources_in(event))


def test_each_event_brings_its_own_version(bucket: Bucket) -> None:
    first = source_of(bucket.write("versions.csv", "a\n1\n", metadata={"original-name": "%D1%8F"}))
    second = source_of(bucket.write("versions.csv", "a\n2\n"))
    for source, content, name in ((second, "a\n2\n", None), (first, "a\n1\n", "я")):
        with downloaded(bucket.client, source) as (file, original_name):
            assert (file.read_text(), original_name) == (content, name)


def test_without_versions_an_object_that_was_replaced_is_gone(bucket: Bucket) -> None:
    first = source_of(bucket.write("replaced.csv", "a\n1\n"))._replace(version_id=None)
    bucket.write("replaced.csv", "a\n2\n")
    with pytest.raises(Gone), downloaded(bucket.client, first):
        pass


def test_a_deleted_object_is_gone(bucket: Bucket) -> None:
    source = source_of(event_of(bucket.name, "never there.csv"))
    with pytest.raises(Gone), downloaded(bucket.client, source):
        pass


def test_the_report_of_a_newer_version_stays(bucket: Bucket) -> None:
    older, newer = (source_of(event_of(bucket.name, "reports.csv")) for _ in range(2))
    put_report(bucket.client, older, {"says": "older"})
    assert bucket.report("reports.csv")["says"] == "older"
    put_report(bucket.client, newer, {"says": "newer"})
    put_report(bucket.client, older, {"says": "older"})
    assert bucket.report("reports.csv") == {"sequencer": newer.sequencer, "says": "newer"}
    put_report(bucket.client, newer, {"says": "newer, again"})
    assert bucket.report("reports.csv")["says"] == "newer, again"


def test_another_may_write_the_report_in_between(bucket: Bucket) -> None:
    """The run that is overtaken looks again, and does not overwrite what it has not seen."""
    older, newer = (source_of(event_of(bucket.name, "race.csv")) for _ in range(2))
    put_report(
        bucket.client,
        source_of(event_of(bucket.name, "race.csv"))._replace(sequencer="0"),
        {"says": "oldest"},
    )
    real = bucket.client
    overtaken = Mock(wraps=real, exceptions=real.exceptions)

    def newer_comes_first(**words: Any) -> Any:
        overtaken.put_object.side_effect = None
        try:
            return real.put_object(**words)
        finally:
            put_report(real, newer, {"says": "newer"})

    overtaken.put_object.side_effect = newer_comes_first
    put_report(overtaken, older, {"says": "older"})
    assert bucket.report("race.csv")["says"] == "newer"


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": ""}}, "Any")


def test_what_s3_refuses_for_other_reasons_is_raised() -> None:
    client = Mock()
    client.put_object.side_effect = client.get_object.side_effect = refusal("AccessDenied")
    source = source_of(event_of("bucket", "a.csv"))
    with pytest.raises(ClientError, match="AccessDenied"):
        put_report(client, source, {})
    with pytest.raises(ClientError, match="AccessDenied"), downloaded(client, source):
        pass


def test_a_report_that_was_deleted_in_between_is_written_anew(bucket: Bucket) -> None:
    client = Mock(wraps=bucket.client, exceptions=bucket.client.exceptions)
    client.put_object.side_effect = [refusal("PreconditionFailed"), {}]
    put_report(client, source_of(event_of(bucket.name, "deleted.csv")), {})
    conditions = [call.kwargs.get("IfNoneMatch") for call in client.put_object.mock_calls]
    assert conditions == ["*", "*"]


def test_a_report_that_never_holds_still_is_given_up(bucket: Bucket) -> None:
    client = Mock(wraps=bucket.client, exceptions=bucket.client.exceptions)
    client.put_object.side_effect = refusal("ConditionalRequestConflict")
    with pytest.raises(RuntimeError, match="changes all the time"):
        put_report(client, source_of(event_of(bucket.name, "restless.csv")), {})
