"""From the HTTP request to the items and the report, with the roles of the template in force."""

import json
from collections.abc import Iterator
from decimal import Decimal
from functools import partial

import httpx
import pytest

from dev.assertions import wait_until
from dev.tools import SAM_IS_HERE
from lambdas.tests.conftest import Deployed

pytestmark = [
    pytest.mark.xdist_group("functions"),
    pytest.mark.skipif(not SAM_IS_HERE, reason="SAM's translator is not for this Python yet"),
    # The first run fetches the translator.
    pytest.mark.timeout(600),
]

TEXT = {"Content-Type": "text/csv"}
CSV = (
    "\ufeffid;имя;рост;телефон\r\n"
    '1;"Анна\r\nМария";1.6180339887498948482045868343656381177;+79161234567\r\n'
    "2;Борис; n/a ;+79161234568\r\n"
    "3;Вера;1.70;+79161234569\r\n"
    "3;Ещё одна;1.71;+79161234569\r\n"
)


@pytest.fixture(scope="module")
def without_tls(deployed: Deployed) -> Iterator[Deployed]:
    """The emulator is spoken to without TLS, which the bucket's policy forbids."""
    policy = deployed.s3.get_bucket_policy(Bucket=deployed.bucket)["Policy"]
    deployed.s3.delete_bucket_policy(Bucket=deployed.bucket)
    yield deployed
    deployed.s3.put_bucket_policy(Bucket=deployed.bucket, Policy=policy)


def test_the_bucket_takes_nothing_without_tls(deployed: Deployed) -> None:
    """And so it is the policies of the template that the other tests pass."""
    answer = deployed.post(params={"name": "people.csv"}, content=CSV.encode(), headers=TEXT)
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
    assert deployed.names() == set()


def test_from_the_request_to_the_rows(without_tls: Deployed) -> None:
    answers = [
        without_tls.post(files={"file": ("люди.csv", CSV.encode(), "text/csv")}),
        without_tls.post(params={"name": "люди.csv"}, content=CSV.encode(), headers=TEXT),
    ]
    for answer in answers:
        assert answer.status_code == 201, answer.text
        body = answer.json()
        name = body.pop("name")
        assert body == {
            "original_name": "люди.csv",
            "size": len(CSV.encode()),
            "columns": ["id", "имя", "рост", "телефон"],
            "rows": 4,
        }
        assert without_tls.read(name) == CSV.encode()
        report_name = f"{name}.report.json"
        wait_until(partial(without_tls.has, report_name))
        report = json.loads(without_tls.read(report_name))
        assert report["original_name"] == "люди.csv"
        assert report["rows"] == {"read": 4, "kept": 2, "dropped": 1, "rejected": 1}
        assert set(report["rejected"]) == {"duplicate_key"}
        first, second = without_tls.rows(name)
        assert first["имя"] == {"S": "Анна\r\nМария"}
        assert Decimal(first["рост"]["N"]) == Decimal("1.6180339887498948482045868343656381177")
        assert second["телефон"] == {"S": "+79161234569"}


def test_what_is_no_csv_is_refused_as_it_came(without_tls: Deployed) -> None:
    """Bytes arrive as bytes: the function can tell where they stop being UTF-8."""
    before = without_tls.names()
    content = "id;имя\n1;Анна\n".encode("cp1251")
    answer = without_tls.post(params={"name": "people.csv"}, content=content, headers=TEXT)
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "not_utf8"
    assert "Line 1 " in problem["detail"]
    assert without_tls.names() == before


def test_nobody_comes_in_without_a_key(without_tls: Deployed) -> None:
    answer = httpx.post(without_tls.functions.url, content=CSV.encode(), headers=TEXT)
    assert answer.status_code == 403


def test_a_file_that_was_put_into_the_bucket(without_tls: Deployed) -> None:
    key = "uploads/Всё + разное (2).csv"
    without_tls.s3.put_object(Bucket=without_tls.bucket, Key=key, Body=b"name\nAnna\nNULL\n")
    wait_until(partial(without_tls.has, f"{key}.report.json"))
    assert without_tls.rows(key) == [{"name": {"S": "Anna"}}]
    assert not {name for name in without_tls.names() if name.count(".report.json") > 1}
