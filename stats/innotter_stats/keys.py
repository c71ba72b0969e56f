"""The core's public keys, with which this service verifies tokens."""

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from innotter_contracts.tokens import Keys, keys_of

# Seconds between two questions to the core, whatever callers bring: for so long a key that
# was withdrawn is still believed, and no stranger's `kid` makes us ask.
EVERY = 1
# Seconds.
TIMEOUT = 1

log = structlog.get_logger("innotter_stats.keys")


class KeysUnavailable(Exception):
    """The core has not been reached since the start, so that no token can be judged."""


class KeyCache:
    """The JWKS at `url`. What is known stays known while the core is down."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: Keys = {}
        self._is_down = False

    def known(self) -> Keys:
        """No older than EVERY seconds, if the core answers. Raises KeysUnavailable."""
        if not self._keys:
            raise KeysUnavailable
        return self._keys

    @asynccontextmanager
    async def kept_fresh(self) -> AsyncIterator[None]:
        """Asks the core at once, and then again and again."""
        await self.refresh()
        asking = asyncio.create_task(self._keep_asking())
        try:
            yield
        finally:
            asking.cancel()

    async def refresh(self) -> None:
        """Asks the core. An invalid answer never replaces known keys."""
        try:
            self._keys = await asyncio.to_thread(_fetch, self._url)
        except Exception as error:  # noqa: BLE001
            # Once an outage and not once a second.
            if not self._is_down:
                log.warning("keys_unavailable", url=self._url, error=repr(error))
            self._is_down = True
        else:
            self._is_down = False

    async def _keep_asking(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            await self.refresh()


def _fetch(url: str) -> Keys:
    # Settings let nothing but http and https through.
    with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:  # noqa: S310
        return keys_of(json.load(answer))
