"""From the event of API Gateway to the answer and to what S3 is given."""

import json
import re
from typing import Any
from unittest.mock import Mock
from urllib.parse import unquote

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given, settings
from hypothesis import strategies as st

from accept_csv import handler
from accept_csv.tests.conftest import MAX_BYTES
from accept_csv.tests.events import CSV, Event, form, http, rest


def ask(event: Event) -> tuple[int, dict[str, Any]]:
    response = handler.handle(event, None)
    document = json.loads(response["body"])
    problem = response["headers"]["Content-Type"] == "application/problem+json"
    assert problem == (response["statusCode"] >= 400)
    if problem:
        assert document["status"] == response["statusCode"]
        assert document["detail"].endswith(".") or "?name=" in document["detail"]
    return response["statusCode"], document


def refusal(event: Event) -> tuple[int, str]:
    status, document = ask(event)
    return status, document["code"]


@pytest.mark.parametrize("request_of", [rest, http])
@pytest.mark.parametrize("body", [CSV, CSV.decode()], ids=["base64", "text"])
def test_a_file_as_the_body(request_of: Any, body: bytes | str, s3: Mock) -> None:
    status, document = ask(request_of(body))
    assert status == 201
    assert re.fullmatch(r"uploads/[0-9a-f-]{36}\.csv", document.pop("name"))
    assert document == {
        "original_name": "people.csv",
        "size": len(CSV),
        "columns": ["id", "name"],
        "rows": 2,
    }
    assert s3.put_object.call_args.kwargs["Body"] == CSV


@pytest.mark.parametrize("request_of", [rest, http])
@pytest.mark.parametrize("as_text", [False, True], ids=["base64", "text"])
def test_a_file_in_a_form(request_of: Any, as_text: bool, s3: Mock) -> None:
    body, content_type = form(("people.csv", "text/csv", CSV), field="for the records")
    event = request_of(body.decode() if as_text else body, name=None, content_type=content_type)
    status, document = ask(event)
    assert (status, document["original_name"], document["rows"]) == (201, "people.csv", 2)
    stored = s3.put_object.call_args.kwargs
    assert stored["Key"] == document["name"]
    assert stored["Body"] == CSV
    assert stored["ContentType"] == "text/csv; charset=utf-8"


def test_each_file_gets_a_name_of_its_own(s3: Mock) -> None:
    names = {ask(rest())[1]["name"] for _ in range(3)}
    assert len(names) == 3
    assert {call.kwargs["Key"] for call in s3.put_object.call_args_list} == names


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Наши люди.csv", "Наши люди.csv"),
        ("../../etc/people.csv", "people.csv"),
        (r"C:\Users\anna\people.csv", "people.csv"),
        ("x\r\nx-amz-acl: public-read.csv", "x\r\nx-amz-acl: public-read.csv"),
        ("half \ud83d.csv", "half ?.csv"),
        ("PEOPLE.CSV", "PEOPLE.CSV"),
    ],
)
def test_the_original_name_is_kept_where_it_can_do_no_harm(given: str, kept: str, s3: Mock) -> None:
    status, document = ask(rest(name=given))
    assert (status, document["original_name"]) == (201, kept)
    [kept_name] = s3.put_object.call_args.kwargs["Metadata"].values()
    assert re.fullmatch(r"[\x21-\x7e]+", kept_name)
    assert unquote(kept_name) == kept


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (rest(name=None), (400, "name_missing")),
        (rest(name="people.xlsx"), (400, "wrong_extension")),
        (rest(name="people.csv.exe"), (400, "wrong_extension")),
        (rest(name="a" * 252 + ".csv"), (400, "name_too_long")),
        (rest(content_type="application/json"), (415, "unsupported_media_type")),
        (rest(content_type="image/png"), (415, "unsupported_media_type")),
        (rest(content_type="text/csv; charset=windows-1251"), (415, "unsupported_charset")),
        (rest(headers={"content-encoding": "gzip"}), (415, "unsupported_content_encoding")),
        (rest(b"a,b\n" + b"1,2\n" * MAX_BYTES), (413, "too_large")),
        ({**rest(), "body": "%%%"}, (400, "malformed_request")),
        ({**rest(), "body": "Анна"}, (400, "malformed_request")),
        ({**rest(), "body": None}, (400, "empty_file")),
        # Bytes that a gateway without binary media types has taken for text.
        (rest("имя\n\ufffd\ufffd\n"), (400, "not_utf8")),
        (rest("half \ud83d\n"), (400, "not_utf8")),
    ],
)
def test_requests_that_are_refused(event: Event, expected: tuple[int, str], s3: Mock) -> None:
    assert refusal(event) == expected
    s3.put_object.assert_not_called()


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        (*form(), "one_file_expected"),
        (*form(field="no file"), "one_file_expected"),
        (*form(("", "application/octet-stream", b"")), "one_file_expected"),
        (*form(("a.csv", "text/csv", CSV), ("b.csv", "text/csv", CSV)), "one_file_expected"),
        (*form(("people.txt", "text/csv", CSV)), "wrong_extension"),
        (*form(("people.csv", "image/png", CSV)), "unsupported_media_type"),
        (*form(("people.csv", "text/csv", b"")), "empty_file"),
        (form(("people.csv", "text/csv", CSV))[0], "multipart/form-data", "malformed_request"),
        (
            form(("people.csv", "text/csv", CSV))[0][:-10],
            "multipart/form-data; boundary=frontier",
            "malformed_request",
        ),
    ],
)
def test_forms_that_are_refused(body: bytes, content_type: str, code: str, s3: Mock) -> None:
    assert refusal(rest(body, name=None, content_type=content_type))[1] == code
    s3.put_object.assert_not_called()


def test_the_problem_is_told_as_everywhere_in_innotter() -> None:
    response = handler.handle(rest(b"a,a\n"), None)
    assert json.loads(response["body"]) == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "There are two columns 'a'.",
        "code": "duplicate_column",
        "errors": [
            {"field": "file", "code": "duplicate_column", "detail": "There are two columns 'a'."}
        ],
    }


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="http://s3"),
        ClientError({"Error": {"Code": "SlowDown", "Message": ""}}, "PutObject"),
    ],
)
def test_while_s3_is_away_the_client_is_told_to_come_back(error: Exception, s3: Mock) -> None:
    s3.put_object.side_effect = error
    response = handler.handle(rest(), None)
    assert response["statusCode"] == 503
    assert json.loads(response["body"])["code"] == "storage_unavailable"
    assert response["headers"]["Retry-After"] == "5"


def test_the_client_is_made_once() -> None:
    assert handler.s3() is handler.s3()


ANYTHING = st.text(st.characters(codec=None, exclude_categories=[]), max_size=60)


@settings(deadline=None)
@given(
    body=st.one_of(ANYTHING, st.binary(max_size=200)),
    name=st.one_of(st.none(), ANYTHING, ANYTHING.map(lambda text: text + ".csv")),
    content_type=st.one_of(
        st.none(),
        ANYTHING,
        st.just("text/csv"),
        ANYTHING.map(lambda text: "multipart/form-data; boundary=" + text),
    ),
)
def test_nothing_that_comes_makes_it_fail(
    body: bytes | str, name: str | None, content_type: str | None
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(handler, "s3", Mock)
        status, _ = ask(rest(body, name=name, content_type=content_type))
    assert status in {201, 400, 413, 415}


@settings(deadline=None)
@given(part=st.binary(max_size=300))
def test_no_form_makes_it_fail(part: bytes) -> None:
    body = b"--frontier\r\n" + part + b"\r\n--frontier--\r\n"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(handler, "s3", Mock)
        content_type = "multipart/form-data; boundary=frontier"
        status, _ = ask(rest(body, name=None, content_type=content_type))
    assert status in {201, 400, 413, 415}
