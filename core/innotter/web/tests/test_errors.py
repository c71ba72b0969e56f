"""Errors are pages where a person asks, in their language; programs get problem documents."""

from typing import Any

import pytest
from django.test import Client

from innotter.accounts.models import User
from innotter.conftest import new_page, refusal, signed_in

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
RUSSIAN = {"Accept": BROWSER, "Accept-Language": "ru"}


def broken(*args: Any, **kwargs: Any) -> Any:
    raise ValueError("a secret of ours")


def assert_is_page(answer: Any, status: int, heading: str) -> None:
    assert (answer.status_code, answer["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert f"<h1>{heading}</h1>" in answer.text
    assert 'href="/"' in answer.text
    assert "Traceback" not in answer.text
    assert answer["Cache-Control"] == "private, no-store"


def test_each_is_a_page_in_the_persons_language(ann: User, eve: User, settings: Any) -> None:
    new_page(ann, uuid="ann")
    stranger, browser = Client(headers=RUSSIAN), signed_in(eve, headers=RUSSIAN)
    careful = Client(enforce_csrf_checks=True, headers=RUSSIAN)
    assert_is_page(stranger.get("/nothing"), 404, "Здесь ничего нет")
    assert_is_page(stranger.get("/@nobody"), 404, "Здесь ничего нет")
    assert_is_page(browser.get("/@ann/edit"), 403, "You may not do this")
    assert_is_page(careful.post("/login"), 403, "Форма устарела")
    large = {"login": "x" * 300_000}
    assert_is_page(stranger.post("/login", large), 413, "Слишком большой файл")
    settings.LIMITS = {**settings.LIMITS, "registrations_from_address": (1, 90)}
    form = {"username": "one", "email": "one@example.com", "password": "x"}
    stranger.post("/register", form)
    too_many = stranger.post("/register", form)
    assert_is_page(too_many, 429, "Слишком много попыток")
    assert "Попробуйте через 2 минуты." in too_many.text
    assert int(too_many["Retry-After"]) <= 90


def test_what_nobody_foresaw_is_a_page_that_tells_nothing(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("innotter.web.views.feed.welcome", broken)
    answer = Client(raise_request_exception=False, headers=RUSSIAN).get("/")
    assert_is_page(answer, 500, "Что-то сломалось")
    assert "secret" not in answer.text


def test_where_the_page_fails_too_the_document_is_left(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("innotter.web.errors.render", broken)
    assert refusal(Client(headers=RUSSIAN).get("/nothing")) == (404, "not_found")


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html;q=0.5,*/*", ""])
def test_who_does_not_prefer_a_page_gets_a_document(db: None, accept: str) -> None:
    assert refusal(Client(headers={"Accept": accept}).get("/nothing")) == (404, "not_found")


def test_the_api_answers_documents_whatever_is_accepted(db: None) -> None:
    answer = Client(headers=RUSSIAN).get("/api/v1/nothing")
    assert refusal(answer) == (404, "not_found")
    assert answer.json()["detail"] == "Not found."
