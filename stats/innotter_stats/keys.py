"""The core's public keys, with which this service verifies tokens."""

import asyncio
import json
import time
import urllib.request

import structlog

from innotter_contracts.tokens import Keys, keys_of

# Seconds between two questions to the core: strangers choose the `kid` that makes us ask.
MIN_AGE = 3
# Seconds after which keys are asked for again, so that a withdrawn one does not live on.
MAX_AGE = 300
# Seconds.
TIMEOUT = 2

log = structlog.get_logger("innotter_stats.keys")


class KeysUnavailable(Exception):
    """The core has not been reached since the start, so that no token can be judged."""


class KeyCache:
    """The JWKS at `url`. What is known stays known while the core is down."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: Keys = {}
        self._asked_at = float("-inf")
        self._asking = asyncio.Lock()

    async def get(self, kid: str) -> Keys:
        """The keys, fresh enough to know `kid` if the core does. Raises KeysUnavailable."""
        if kid not in self._keys:
            # Those who come meanwhile wait, and find what the first one brought.
            async with self._asking:
                if kid not in self._keys:
                    await self._refresh(MIN_AGE)
        else:
            await self._refresh(MAX_AGE)
        return self._known()

    async def check(self) -> None:
        """Raises KeysUnavailable if there are no keys and the core gives none."""
        if not self._keys:
            await self._refresh(MIN_AGE)
        self._known()

    def _known(self) -> Keys:
        if not self._keys:
            raise KeysUnavailable
        return self._keys

    async def _refresh(self, min_age: float) -> None:
        if time.monotonic() - self._asked_at < min_age:
            return
        self._asked_at = time.monotonic()
        try:
            self._keys = await asyncio.to_thread(_fetch, self._url)
        # An invalid answer never replaces known keys.
        except Exception as error:  # noqa: BLE001
            log.warning("keys_unavailable", url=self._url, error=repr(error))


def _fetch(url: str) -> Keys:
    # Settings let nothing but http and https through.
    with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:  # noqa: S310
        return keys_of(json.load(answer))
