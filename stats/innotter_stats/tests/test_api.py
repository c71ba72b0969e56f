import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import time_machine

from innotter_contracts.ids import new_id
from innotter_contracts.problems import MEDIA_TYPE
from innotter_contracts.tests.signing import ISSUER
from innotter_stats.api import create_app
from innotter_stats.settings import Settings
from innotter_stats.store import Store
from innotter_stats.tests.builders import NOON, followed, liked, new_uuid, page_created, posted
from innotter_stats.tests.conftest import Client, Core, serving

ZEROS = {
    "posts": 0,
    "replies": 0,
    "replies_received": 0,
    "likes": 0,
    "followers": 0,
    "follow_requests": 0,
}


def client_of(core: Core, table: str, **settings: Any) -> AbstractContextManager[Client]:
    given = {
        "core_url": ISSUER,
        "jwks_url": core.url,
        "statistics_table": table,
        "log_level": "ERROR",
        **settings,
    }
    return serving(create_app(Settings(**given)))


@pytest.fixture
def client(core: Core, table: str) -> Iterator[Client]:
    with client_of(core, table) as client:
        yield client


class Page:
    """Ann's page, with something on it."""

    def __init__(self, store: Store, core: Core) -> None:
        self.id, self.uuid, self.owner = new_id(), new_uuid(), new_id()
        store.apply([page_created(self.id, self.uuid, owner=self.owner, name="Утренний кофе")])
        self.path = f"/api/v1/pages/{self.uuid}/statistics"
        self.token = core.signer.token(self.owner)
        self.auth = {"Authorization": f"Bearer {self.token}"}


@pytest.fixture
def page(store: Store, core: Core) -> Page:
    return Page(store, core)


def as_user(core: Core, user: UUID, *, role: str = "user") -> dict[str, str]:
    return {"Authorization": f"Bearer {core.signer.token(user, role=role)}"}


def assert_problem(answer: Any, status: int, code: str) -> None:
    assert answer.status_code == status
    assert answer.headers["content-type"] == MEDIA_TYPE
    problem = answer.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["detail"]


# --- Statistics


def test_the_owner_sees_totals_and_every_day(client: Client, store: Store, page: Page) -> None:
    later = NOON + timedelta(days=2)
    store.apply([posted(page.id), followed(page.id), liked(page.id), liked(page.id, at=later)])
    answer = client.get(f"{page.path}?from=2026-11-19&to=2026-11-22", headers=page.auth)
    assert answer.status_code == 200
    body = answer.json()
    as_of = datetime.fromisoformat(body.pop("as_of"))
    assert abs(datetime.now(UTC) - as_of) < timedelta(minutes=1)
    assert body == {
        "page": {"uuid": page.uuid, "name": "Утренний кофе"},
        "totals": {**ZEROS, "posts": 1, "followers": 1, "likes": 2},
        "daily": [
            {"date": "2026-11-19", **ZEROS},
            {"date": "2026-11-20", **ZEROS, "posts": 1, "followers": 1, "likes": 1},
            {"date": "2026-11-21", **ZEROS},
            {"date": "2026-11-22", **ZEROS, "likes": 1},
        ],
    }


def test_times_are_utc_with_z(client: Client, page: Page) -> None:
    assert client.get(page.path, headers=page.auth).json()["as_of"].endswith("Z")


def test_the_case_of_the_uuid_makes_no_difference(client: Client, page: Page) -> None:
    answer = client.get(page.path.replace(page.uuid, page.uuid.upper()), headers=page.auth)
    assert answer.json()["page"]["uuid"] == page.uuid


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ("", ("2026-10-26", "2026-11-24", 30)),
        ("?to=2026-11-10", ("2026-10-12", "2026-11-10", 30)),
        ("?from=2026-11-20", ("2026-11-20", "2026-11-24", 5)),
        ("?from=2026-11-20&to=2026-11-20", ("2026-11-20", "2026-11-20", 1)),
        ("?from=2023-12-31&to=2024-12-30", ("2023-12-31", "2024-12-30", 366)),
        ("?to=0001-01-05", ("0001-01-01", "0001-01-05", 5)),
        ("?from=9999-12-30&to=9999-12-31", ("9999-12-30", "9999-12-31", 2)),
    ],
)
def test_the_period(
    store: Store, table: str, core: Core, query: str, days: tuple[str, str, int]
) -> None:
    # In Moscow it is the 25th already; days are those of UTC.
    with time_machine.travel(datetime(2026, 11, 24, 23, 30, tzinfo=UTC), tick=True):
        page = Page(store, core)
        with client_of(core, table) as client:
            daily = client.get(page.path + query, headers=page.auth).json()["daily"]
    assert (daily[0]["date"], daily[-1]["date"], len(daily)) == days


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ("from=2026-11-21&to=2026-11-20", "from", "after_to"),
        ("from=2025-11-20&to=2026-11-21", "from", "too_long"),
        ("from=yesterday", "from", "invalid_date"),
        ("from=2026-02-30", "from", "invalid_date"),
        ("from=2026-11-20T00:00:00", "from", "invalid_date"),
        # Seconds since 1970, to those who guess.
        ("from=1700000000", "from", "invalid_date"),
        ("from=0", "from", "invalid_date"),
        ("to=", "to", "invalid_date"),
        ("to=%00", "to", "invalid_date"),
        ("to=٢٠٢٦-١١-٢٠", "to", "invalid_date"),
    ],
)
@pytest.mark.parametrize("form", ["", ".svg"])
def test_a_period_that_makes_no_sense_is_400(
    client: Client, page: Page, form: str, query: str, field: str, code: str
) -> None:
    answer = client.get(f"{page.path}{form}?{query}", headers=page.auth)
    assert_problem(answer, 400, "invalid")
    (error,) = answer.json()["errors"]
    assert (error["field"], error["code"]) == (field, code)
    assert error["detail"]


def test_every_field_that_is_wrong_is_named(client: Client, page: Page) -> None:
    query = "from=x&to=y&metric=shares&lang=de"
    answer = client.get(f"{page.path}.svg?{query}", headers=page.auth)
    assert_problem(answer, 400, "invalid")
    fields = {error["field"] for error in answer.json()["errors"]}
    assert fields == {"from", "to", "metric", "lang"}


@pytest.mark.parametrize("form", ["", ".svg"])
@pytest.mark.parametrize("role", ["user", "moderator", "admin"])
def test_nobody_but_the_owner_sees_them(
    client: Client, page: Page, core: Core, role: str, form: str
) -> None:
    answer = client.get(page.path + form, headers=as_user(core, new_id(), role=role))
    assert_problem(answer, 403, "forbidden")
    assert page.uuid not in answer.text


def test_a_stranger_is_asked_for_a_token_before_anything_else(client: Client, page: Page) -> None:
    for url in (
        page.path,
        f"{page.path}?from=x",
        f"{page.path}.svg",
        "/api/v1/pages/none/statistics",
    ):
        answer = client.get(url)
        assert_problem(answer, 401, "unauthenticated")
        assert answer.headers["www-authenticate"] == 'Bearer realm="innotter"'


@pytest.mark.parametrize("uuid", ["nobody", "%20", "x" * 31, "x" * 5000, "a%23b", "%00", "кофе"])
@pytest.mark.parametrize("form", ["", ".svg"])
def test_a_page_that_is_not_there_is_404(client: Client, page: Page, uuid: str, form: str) -> None:
    answer = client.get(f"/api/v1/pages/{uuid}/statistics{form}", headers=page.auth)
    assert_problem(answer, 404, "not_found")


def test_a_page_that_is_counted_but_not_yet_created_is_404(
    client: Client, store: Store, page: Page
) -> None:
    page_id, uuid = new_id(), new_uuid()
    store.apply([liked(page_id)])
    url = f"/api/v1/pages/{uuid}/statistics"
    assert_problem(client.get(url, headers=page.auth), 404, "not_found")
    store.apply([page_created(page_id, uuid, owner=page.owner)])
    assert client.get(url, headers=page.auth).json()["totals"]["likes"] == 1


def test_without_the_table_it_is_503(core: Core) -> None:
    with client_of(core, f"missing-{new_id()}") as client:
        auth = as_user(core, new_id())
        answer = client.get("/api/v1/pages/coffee/statistics", headers=auth)
        assert_problem(answer, 503, "unavailable")
        assert answer.headers["retry-after"]


# --- What has not changed is not sent again


@pytest.mark.parametrize("form", ["", ".svg"])
def test_an_answer_that_still_holds_is_304(
    client: Client, store: Store, page: Page, form: str
) -> None:
    url = f"{page.path}{form}?to=2026-11-20&metric=likes"
    first = client.get(url, headers=page.auth)
    etag = first.headers["etag"]
    for known in (etag, f'"other", {etag}', etag.removeprefix("W/"), "*"):
        again = client.get(url, headers={**page.auth, "If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == etag
        assert again.headers["cache-control"] == "no-store"
    store.apply([liked(page.id)])
    changed = client.get(url, headers={**page.auth, "If-None-Match": etag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != etag
    assert changed.headers["cache-control"] == "no-store"


def test_knowing_an_etag_grants_no_access(client: Client, page: Page, core: Core) -> None:
    known = {"If-None-Match": client.get(page.path, headers=page.auth).headers["etag"]}
    assert client.get(page.path, headers=known).status_code == 401
    another = {**as_user(core, new_id()), **known}
    assert client.get(page.path, headers=another).status_code == 403


# --- The chart


def test_the_chart_is_a_picture_of_the_same_numbers(
    client: Client, store: Store, page: Page
) -> None:
    store.apply([liked(page.id) for _ in range(7)])
    answer = client.get(f"{page.path}.svg?metric=likes&to=2026-11-20", headers=page.auth)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/svg+xml"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "Утренний кофе" in answer.text
    assert "20 Nov 2026: 7" in answer.text


@pytest.mark.parametrize(
    ("query", "accepted", "language"),
    [
        ("", None, "en"),
        ("", "ru-RU,ru;q=0.9,en;q=0.8", "ru"),
        ("", "de, en;q=0.5, ru;q=0.7", "ru"),
        ("", "ru-RU, en;q=0.95, ru;q=0.9", "ru"),
        ("", "ru;q=0, *", "en"),
        ("", "ru;q=nonsense, ;;;,", "ru"),
        ("", "xx" * 5000, "en"),
        ("?lang=ru", "en", "ru"),
        ("?lang=en", "ru", "en"),
    ],
)
def test_its_words_are_in_the_readers_language(
    client: Client, page: Page, query: str, accepted: str | None, language: str
) -> None:
    headers = {**page.auth, **({"Accept-Language": accepted} if accepted else {})}
    answer = client.get(f"{page.path}.svg{query}", headers=headers)
    assert answer.headers["content-language"] == language
    assert answer.headers["vary"] == "Accept-Language, Authorization"
    assert ("Подписчики" in answer.text) == (language == "ru")
    assert ("Followers" in answer.text) == (language == "en")


# --- Paths


def test_unknown_paths_and_methods_are_problems(client: Client, page: Page) -> None:
    assert_problem(client.get("/api/v1/nowhere"), 404, "not_found")
    assert_problem(client.get("/docs/assets/nothing.js"), 404, "not_found")
    assert_problem(client.get(f"{page.path}/", headers=page.auth), 404, "not_found")
    refused = client.post(page.path, headers=page.auth)
    assert_problem(refused, 405, "method_not_allowed")
    assert refused.headers["allow"] == "GET, HEAD"


def test_head_goes_wherever_get_goes_and_has_no_body(client: Client, page: Page) -> None:
    for url in (page.path, f"{page.path}.svg", "/health/live", "/health/ready", "/docs"):
        get, head = (ask(url, headers=page.auth) for ask in (client.get, client.head))
        assert (head.status_code, head.content) == (get.status_code, b"") == (200, b"")
        for name in ("content-type", "content-length", "etag", "vary", "cache-control"):
            assert head.headers.get(name) == get.headers.get(name)
    assert client.head(page.path).status_code == 401
    assert client.head("/api/v1/nowhere").status_code == 404


@pytest.mark.parametrize("url", ["/health/live", "/docs", "/docs/assets/swagger-ui.css"])
def test_allow_names_what_is_allowed(client: Client, url: str) -> None:
    refused = client.post(url, headers={})
    assert refused.status_code == 405
    allowed = refused.headers["allow"].split(", ")
    assert allowed == ["GET", "HEAD"]
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
        assert (client.request(method, url).status_code == 200) is (method in allowed)


def test_caches_keep_nothing_that_depends_on_the_caller(
    client: Client, page: Page, core: Core
) -> None:
    for url in (page.path, f"{page.path}.svg", "/health/live", "/nowhere", "/openapi.json"):
        for headers in ({}, page.auth, as_user(core, new_id()), {"Authorization": "Bearer x"}):
            answer = client.get(url, headers=headers)
            assert answer.headers["cache-control"] == "no-store"
            assert "Authorization" in answer.headers["vary"].split(", ")
    kept = client.get("/docs/assets/swagger-ui.css")
    assert "no-store" not in kept.headers.get("cache-control", "")


# --- Health


def test_it_is_alive_and_ready(client: Client) -> None:
    assert client.get("/health/live").json() == {"status": "ok"}
    assert client.get("/health/ready").json() == {"status": "ok"}


def test_readiness_names_what_is_down(core: Core) -> None:
    nowhere = "http://127.0.0.1:9/jwks.json"
    with client_of(core, f"missing-{new_id()}", jwks_url=nowhere) as client:
        answer = client.get("/health/ready")
        assert_problem(answer, 503, "not_ready")
        assert answer.json()["detail"] == "Down: table, keys."
        assert client.get("/health/live").status_code == 200


# --- The document


def test_the_page_of_the_document_needs_nothing_from_elsewhere(client: Client) -> None:
    page = client.get("/docs").text
    assert "http" not in page.replace("https://github.com", "")
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"):
        assert f"/docs/assets/{asset}" in page
        assert client.get(f"/docs/assets/{asset}").status_code == 200


def test_every_operation_documents_its_errors_and_an_example(client: Client) -> None:
    document = client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert document["paths"].keys() == {
        "/api/v1/pages/{uuid}/statistics",
        "/api/v1/pages/{uuid}/statistics.svg",
        "/health/live",
        "/health/ready",
    }
    for path in document["paths"].values():
        for operation in path.values():
            problems = {
                status: answer["content"][MEDIA_TYPE]
                for status, answer in operation["responses"].items()
                if status not in ("200", "304")
            }
            assert "default" in problems
            assert "422" not in problems
            for status, problem in problems.items():
                assert problem["schema"] == {"$ref": "#/components/schemas/Problem"}
                assert problem["example"]["status"] == (int(status) if status.isdigit() else 500)
    for form in ("", ".svg"):
        statistics = document["paths"][f"/api/v1/pages/{{uuid}}/statistics{form}"]["get"]
        answers = {"200", "304", "400", "401", "403", "404", "503", "default"}
        assert statistics["responses"].keys() == answers
        assert statistics["security"]
    assert document["components"]["schemas"]["Statistics"]["example"]["daily"]
    assert_references_lead_somewhere(document, document)


def assert_references_lead_somewhere(document: Any, part: Any) -> None:
    match part:
        case {"$ref": str(reference)}:
            assert (
                reference.removeprefix("#/components/schemas/")
                in (document["components"]["schemas"])
            )
        case dict():
            for value in part.values():
                assert_references_lead_somewhere(document, value)
        case list():
            for value in part:
                assert_references_lead_somewhere(document, value)


def test_the_printed_document_is_the_served_one_and_always_the_same(
    client: Client, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "innotter_stats.openapi"]
    first, second = (
        subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, text=True).stdout
        for _ in range(2)
    )
    assert first == second
    assert json.loads(first) == client.get("/openapi.json").json()


# --- Middleware


@pytest.mark.parametrize("path", ["/health/live", "/docs", "/openapi.json", "/nothing"])
def test_every_answer_tells_browsers_to_be_careful(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_the_docs_may_run_their_one_script(client: Client) -> None:
    answer = client.get("/docs")
    script = answer.text.split("<script>")[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'self' 'sha256-{digest}';" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "localhost:x", ""])
def test_another_host_is_refused(client: Client, host: str) -> None:
    answer = client.get("/health/live", headers={"Host": host})
    assert_problem(answer, 400, "invalid")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8001", "127.0.0.1:9"])
def test_our_own_hosts_are_answered(client: Client, host: str) -> None:
    assert client.get("/health/live", headers={"Host": host}).status_code == 200


def test_only_named_origins_may_read_answers(core: Core, table: str) -> None:
    with client_of(core, table, cors_origins="https://app.example") as client:
        for origin, allowed in (("https://app.example", True), ("https://evil.example", False)):
            answer = client.get("/health/live", headers={"Origin": origin})
            assert (answer.headers.get("access-control-allow-origin") == origin) is allowed
            assert "access-control-allow-credentials" not in answer.headers
