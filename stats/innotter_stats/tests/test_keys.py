import asyncio

import pytest

from innotter_contracts.tests.signing import Signer
from innotter_stats import keys
from innotter_stats.keys import KeyCache, KeysUnavailable
from innotter_stats.tests.conftest import Core


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(keys, "time", clock)
    return clock


def known(cache: KeyCache, kid: str) -> bool:
    return kid in asyncio.run(cache.get(kid))


def test_keys_are_fetched_once_and_kept(core: Core) -> None:
    cache = KeyCache(core.url)
    assert known(cache, "test-1")
    assert known(cache, "test-1")
    assert core.asked == 1


def test_many_first_requests_ask_once(core: Core) -> None:
    cache = KeyCache(core.url)

    async def many() -> list[bool]:
        found = await asyncio.gather(*(cache.get("test-1") for _ in range(20)))
        return ["test-1" in each for each in found]

    assert all(asyncio.run(many()))
    assert core.asked == 1


def test_an_unknown_kid_asks_again_but_strangers_cannot_make_us_ask_all_the_time(
    core: Core, clock: Clock
) -> None:
    cache = KeyCache(core.url)
    known(cache, "test-1")
    core.rotate(Signer("test-2"))
    assert not known(cache, "test-2")
    assert core.asked == 1
    clock.now += keys.MIN_AGE
    assert known(cache, "test-2")
    assert not known(cache, "made-up")
    assert core.asked == 2


def test_a_withdrawn_key_does_not_live_on(core: Core, clock: Clock) -> None:
    cache = KeyCache(core.url)
    known(cache, "test-1")
    core.rotate(Signer("test-2"))
    clock.now += keys.MAX_AGE
    assert not known(cache, "test-1")


@pytest.mark.parametrize("nonsense", [None, [], {}, {"keys": None}, {"keys": [1]}, "down"])
def test_what_is_known_stays_known_while_the_core_is_down(
    core: Core, clock: Clock, nonsense: object
) -> None:
    cache = KeyCache(core.url)
    known(cache, "test-1")
    core.answer = nonsense
    clock.now += keys.MAX_AGE
    assert known(cache, "test-1")
    assert core.asked == 2


def test_without_any_key_no_token_can_be_judged() -> None:
    cache = KeyCache("http://127.0.0.1:9/jwks.json")
    with pytest.raises(KeysUnavailable):
        known(cache, "test-1")
    with pytest.raises(KeysUnavailable):
        asyncio.run(cache.check())


def test_check_passes_once_the_core_has_answered(core: Core) -> None:
    cache = KeyCache(core.url)
    asyncio.run(cache.check())
    assert known(cache, "test-1")
    assert core.asked == 1
