"""uvicorn, as it runs and speaks HTTP here.

Malformed requests get a problem document like every other error. Clients that are slow to send a
request are disconnected, so that connections do not pile up.
"""

import asyncio
import json

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from innotter_contracts.problems import MEDIA_TYPE, problem

# Seconds within which a connection has to bring the whole head of a request. uvicorn's own
# timeout begins with the first answer and ends with the first byte.
HEAD_TIMEOUT = 10


class Server(uvicorn.Server):
    async def main_loop(self) -> None:
        """Looks once a second whether it shall stop, where uvicorn looks ten times."""
        while not await self.on_tick(0):  # noqa: ASYNC110 # a signal sets no more than a flag
            await asyncio.sleep(1)


class Protocol(H11Protocol):
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def on_response_complete(self) -> None:
        self._expect_head()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """A target or header that is too long comes here too: h11 does not distinguish them."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            # The answer to this request has begun.
            self.transport.close()
            return
        body = json.dumps(problem(400, "malformed", "The request is not valid HTTP.")).encode()
        headers = [
            ("Content-Type", MEDIA_TYPE),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("Connection", "close"),
        ]
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _expect_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT, self._hang_up)

    def _hang_up(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
