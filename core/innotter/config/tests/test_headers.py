"""What every answer carries besides its content, and whom the core answers at all."""

from typing import Any

import pytest
from django.test import Client

from innotter.accounts.models import User
from innotter.conftest import PASSWORD, Api, refusal

PATHS = ["/api/v1/pages", "/api/v1/nothing", "/api/v1/docs", "/login", "/", "/health/live"]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_tells_browsers_to_be_careful(db: None, path: str) -> None:
    answer = Client().get(path)
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Referrer-Policy"] == "same-origin"
    assert "Cross-Origin-Opener-Policy" not in answer, "decision 185"
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src 'self';" in policy
    inline = path == "/api/v1/docs"
    assert ("'unsafe-inline'" in policy) == inline


@pytest.mark.parametrize("path", ["/api/v1/docs", "/login", "/"])
def test_no_page_needs_a_script_that_the_policy_forbids(db: None, path: str) -> None:
    page = Client().get(path).content.decode()
    assert "<script" in page
    assert all(
        tag.startswith((" src=", ' type="application/json"')) or "src=" in tag.split(">")[0]
        for tag in page.split("<script")[1:]
    )
    assert " onclick=" not in page


def test_the_script_of_the_docs_is_served_beside_them(db: None) -> None:
    answer = Client().get("/api/v1/docs?script=")
    assert answer["Content-Type"].startswith("application/javascript")
    assert b"SwaggerUIBundle" in answer.content


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_no_other_origin_may_read_an_answer(api: Api, ann: User, origin: str) -> None:
    answer = Client().get("/api/v1/pages", headers={"Origin": origin})
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


def test_an_origin_that_is_named_may_call_the_api(db: None, settings: Any) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example"]
    headers = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    preflight = Client().options("/api/v1/pages", headers=headers)
    assert preflight.status_code == 200
    assert "authorization" in preflight["Access-Control-Allow-Headers"]
    answer = Client().get("/api/v1/pages", headers={"Origin": "https://app.example"})
    assert answer["Access-Control-Allow-Origin"] == "https://app.example"
    assert "Access-Control-Allow-Credentials" not in answer
    other = Client().get("/api/v1/pages", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in other
    panel = Client().get("/login", headers={"Origin": "https://app.example"})
    assert "Access-Control-Allow-Origin" not in panel


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "a b", ""])
def test_another_host_is_refused(db: None, settings: Any, host: str) -> None:
    settings.ALLOWED_HOSTS = ["localhost"]
    answer = Client().get("/api/v1/pages", headers={"Host": host} if host else {"Host": "x:y"})
    assert refusal(answer) == (400, "malformed")


@pytest.mark.parametrize("https", [False, True])
def test_the_cookies_are_for_this_host_and_the_browser_alone(
    eve: User, settings: Any, https: bool
) -> None:
    prefix = "__Host-" if https else ""
    settings.HTTPS = settings.CSRF_COOKIE_SECURE = https
    settings.SITE_SESSION_COOKIE = f"{prefix}session"
    settings.CSRF_COOKIE_NAME = f"{prefix}csrftoken"
    browser = Client()
    browser.get("/login")
    answer = browser.post("/login", {"login": "eve", "password": PASSWORD})
    assert answer.status_code == 303
    for name in ("session", "csrftoken"):
        cookie = answer.cookies[f"{prefix}{name}"]
        assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
        assert (cookie["path"], cookie["domain"]) == ("/", "")
        assert bool(cookie["secure"]) == https
    assert answer.cookies[f"{prefix}session"]["max-age"] == 30 * 24 * 3600
