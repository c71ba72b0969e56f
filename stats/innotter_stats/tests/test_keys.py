import asyncio

import pytest
import structlog
from structlog.testing import capture_logs

from innotter_contracts.tests.signing import Signer
from innotter_stats import keys
from innotter_stats.keys import KeyCache, KeysUnavailable
from innotter_stats.tests.conftest import Core


def refreshed(cache: KeyCache) -> set[str]:
    asyncio.run(cache.refresh())
    return set(cache.known())


def test_keys_are_known_from_the_start(core: Core) -> None:
    cache = KeyCache(core.url)

    async def start() -> set[str]:
        async with cache.kept_fresh():
            return set(cache.known())

    assert asyncio.run(start()) == {"test-1"}
    assert core.asked == 1


def test_a_rotation_is_seen_though_nobody_calls(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That they are a second old at most is a matter of the constant."""
    assert keys.EVERY + keys.TIMEOUT <= 2
    monkeypatch.setattr(keys, "EVERY", 0.01)
    cache = KeyCache(core.url)

    async def rotate() -> None:
        async with cache.kept_fresh(), asyncio.timeout(10):
            core.rotate(Signer("test-2"))
            while set(cache.known()) != {"test-2"}:  # noqa: ASYNC110 (it has no other sign)
                await asyncio.sleep(0)

    asyncio.run(rotate())


def test_strangers_cannot_make_us_ask(core: Core) -> None:
    cache = KeyCache(core.url)
    refreshed(cache)
    for _ in range(20):
        assert "made-up" not in cache.known()
    assert core.asked == 1


@pytest.mark.parametrize("nonsense", [None, [], {}, {"keys": None}, {"keys": [1]}, "down"])
def test_what_is_known_stays_known_while_the_core_is_down(
    core: Core, nonsense: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The module's own may be bound to what another test has configured.
    monkeypatch.setattr(keys, "log", structlog.get_logger("keys"))
    cache = KeyCache(core.url)
    refreshed(cache)
    core.answer = nonsense
    with capture_logs() as lines:
        assert refreshed(cache) == refreshed(cache) == {"test-1"}
    assert [line["event"] for line in lines] == ["keys_unavailable"]
    core.answer = core.signer.jwks
    refreshed(cache)
    core.answer = nonsense
    with capture_logs() as lines:
        refreshed(cache)
    assert lines


def test_without_any_key_no_token_can_be_judged() -> None:
    cache = KeyCache("http://127.0.0.1:9/jwks.json")
    with pytest.raises(KeysUnavailable):
        refreshed(cache)
