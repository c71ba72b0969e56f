"""How pages travel: compressed, and kept for seconds where they are the same for everybody."""

import gzip

from django.test import Client

from innotter.accounts.models import User
from innotter.conftest import new_page, new_post, signed_in

COMPRESSED = {"Accept-Encoding": "gzip, br"}


def test_a_page_for_strangers_travels_compressed_and_is_kept_for_seconds(ann: User) -> None:
    new_post(new_page(ann), "Kept for two seconds")
    plain = Client().get("/")
    packed = Client().get("/", headers=COMPRESSED)
    assert "Content-Encoding" not in plain.headers
    assert packed["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.content) == plain.content
    assert "Accept-Encoding" in packed["Vary"]
    assert packed["Cache-Control"] == "public, max-age=2"
    # One content, however it travels; compressed it is the same, but not byte for byte.
    assert packed["ETag"] == f"W/{plain['ETag']}"
    for answer in (plain, packed):
        again = Client().get("/", headers={**COMPRESSED, "If-None-Match": answer["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again["Cache-Control"] == "public, max-age=2"
    new_post(new_page(ann), "And then there is more")
    again = Client().get("/", headers={"If-None-Match": plain["ETag"]})
    assert again.status_code == 200


def test_what_a_member_or_a_form_is_shown_is_kept_nowhere(bob: User) -> None:
    for client, path in ((signed_in(bob), "/about"), (Client(), "/login")):
        answer = client.get(path, headers=COMPRESSED)
        assert answer["Content-Encoding"] == "gzip"
        assert answer["Cache-Control"] == "private, no-store"
        assert "ETag" not in answer.headers


def test_how_long_a_page_is_tells_nothing_of_a_token_in_it() -> None:
    lengths = {len(Client().get("/about", headers=COMPRESSED).content) for _ in range(10)}
    assert len(lengths) > 1


def test_what_is_short_travels_as_it_is() -> None:
    assert "Content-Encoding" not in Client().get("/health/live", headers=COMPRESSED).headers


def test_the_apis_answers_are_left_to_the_gateway(ann: User) -> None:
    answer = Client().get("/api/v1/schema", headers=COMPRESSED)
    assert "Content-Encoding" not in answer.headers
