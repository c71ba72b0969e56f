"""What the gateway says by itself, to people and to programs, while no service answers."""

import base64
import hashlib
import re
from collections.abc import Iterator

import httpx
import pytest

from dev.gateway import gateway_to
from dev.ports import HOST, Port

PEOPLE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Language": "en-GB,en"}
RUSSIANS = {**PEOPLE, "Accept-Language": "ru-RU,ru;q=0.9,en;q=0.8"}
LONG = b" " * 6_500_000


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    port = Port()
    port.release()
    nobody = f"http://{HOST}:{port.number}"
    folder = tmp_path_factory.mktemp("gateway")
    with (
        gateway_to(nobody, nobody, folder, patience="0s") as url,
        httpx.Client(base_url=url, timeout=30) as browser,
    ):
        yield browser


@pytest.mark.parametrize(
    ("headers", "language", "away", "too_long"),
    [
        (PEOPLE, "en", "Back in a moment", "That is too large"),
        (RUSSIANS, "ru", "Скоро вернёмся", "Это слишком много"),
    ],
    ids=["English", "Russian"],
)
def test_people_read_a_page_with_a_way_on(
    browser: httpx.Client, headers: dict[str, str], language: str, away: str, too_long: str
) -> None:
    gone = browser.get("/@ann", headers=headers)
    refused = browser.post("/settings", content=LONG, headers=headers)
    assert (gone.status_code, refused.status_code) == (502, 413)
    assert int(gone.headers["Retry-After"]) > 0
    for answer, heading in ((gone, away), (refused, too_long)):
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answer.headers["Cache-Control"] == "private, no-store"
        assert f'<html lang="{language}">' in answer.text
        assert f"<h1>{heading}</h1>" in answer.text
        assert 'href="/"' in answer.text
        [style] = re.findall(r"<style>(.*)</style>", answer.text)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/api/v1/feed", "/api/v1/pages/ann/statistics", "/"])
def test_programs_read_a_problem_document(browser: httpx.Client, path: str) -> None:
    headers = PEOPLE if path.startswith("/api/") else {"Accept": "*/*"}
    gone = browser.get(path, headers=headers)
    refused = browser.post(path, content=LONG, headers=headers)
    for answer, status, code in ((gone, 502, "gateway"), (refused, 413, "too_large")):
        assert answer.status_code == status
        assert answer.headers["Content-Type"] == "application/problem+json"
        found = answer.json()
        assert (found["status"], found["code"]) == (status, code)
        assert found["title"]
