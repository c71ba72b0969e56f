"""What strangers can have refused fills no log: each refusal is one line with the reason."""

import pytest
from django.test import Client

from innotter.accounts.models import User
from innotter.accounts.tokens import mint_access_token
from innotter.conftest import Log, refusal

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=x"
FILE = b'--x\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\n\r\n'


@pytest.mark.parametrize(
    ("body", "media", "status", "reason"),
    [
        (b"x" * 300_000, FORM, 413, "RequestDataTooBig"),
        (b"&".join([b"a=1"] * 2000), FORM, 400, "TooManyFieldsSent"),
        (FILE * 200 + b"--x--\r\n", MULTIPART, 400, "TooManyFilesSent"),
        (b"x", "multipart/form-data", 400, "MultiPartParserError"),
        (b"a=1", FORM, 403, "CSRF token missing."),
    ],
    ids=["too long", "too many fields", "too many files", "a broken form", "no CSRF token"],
)
def test_a_body_that_is_refused_is_one_line_in_the_log(
    log: Log, db: None, body: bytes, media: str, status: int, reason: str
) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.cookies["csrftoken"] = "x" * 32
    answer = browser.generic("POST", "/login", body, media)
    assert refusal(answer)[0] == status
    assert_one_line(log, status, reason)


@pytest.mark.parametrize("host", ["evil.example", "a b", "localhost:x"])
def test_a_host_that_is_refused_is_one_line_in_the_log(log: Log, db: None, host: str) -> None:
    answer = Client().get("/api/v1/pages", headers={"Host": host})
    assert refusal(answer) == (400, "malformed")
    assert_one_line(log, 400, "DisallowedHost")


@pytest.mark.parametrize("size", [300_000, 11_000_000])
def test_a_body_that_the_api_refuses_is_one_line_in_the_log(log: Log, ann: User, size: int) -> None:
    headers = {"Authorization": f"Bearer {mint_access_token(ann)}"}
    answer = Client().generic(
        "POST", "/api/v1/pages", b"x" * size, "application/json", headers=headers
    )
    assert refusal(answer) == (413, "too_large")
    assert_one_line(log, 413, "RequestDataTooBig")


def assert_one_line(log: Log, status: int, reason: str) -> None:
    (line,) = log()
    assert (line["level"], line["event"], line["status"]) == ("info", "request", status)
    assert line["refused"].startswith(reason)
    assert "exception" not in line
