"""What slow clients cost the others, directly and through the gateway, as a ratio of their p99.

    make bench ARGS=slow_clients

By turns with and without 500 idle connections, 100 that send a body at a byte a second and 100 that
read a long answer as slowly. The bar: p99 with them is at most twice that without.
"""

import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))

from dev.gateway import gateway
from dev.testing import stack_for_tests
from tests.people import Person

IDLE, SENDING, READING = 500, 100, 100
ROUNDS = 3
CALLS = 200
LONG = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    with stack_for_tests() as stack, gateway(stack, folder) as gateway_url:
        ann = Person.arrives(stack, "ann")
        path = f"/api/v1/pages/{ann.new_page()}"
        for what, url in {"directly": stack.core_url, "gateway": gateway_url}.items():
            took: dict[str, list[float]] = {"without": [], "with": []}
            timed(f"{url}{path}", ann.token)
            for _ in range(ROUNDS):
                took["without"] += timed(f"{url}{path}", ann.token)
                with slow_clients(url):
                    took["with"] += timed(f"{url}{path}", ann.token)
            without, with_ = (p99(took[which]) for which in ("without", "with"))
            medians = [1000 * statistics.median(took[which]) for which in ("without", "with")]
            print(
                f"{what:<10} p99 {1000 * without:6.1f} ms without, {1000 * with_:6.1f} ms with, "
                f"{with_ / without:5.2f} times; medians {medians[0]:.1f} and {medians[1]:.1f} ms",
                flush=True,
            )


def p99(times: list[float]) -> float:
    return statistics.quantiles(times, n=100)[98]


def timed(url: str, token: str) -> list[float]:
    """Seconds of each of CALLS requests, each on a connection of its own."""
    times = []
    headers = {"Authorization": f"Bearer {token}"}
    limits = httpx.Limits(max_keepalive_connections=0)
    with httpx.Client(headers=headers, limits=limits, timeout=60) as client:
        for _ in range(CALLS):
            began = time.perf_counter()
            client.get(url).raise_for_status()
            times.append(time.perf_counter() - began)
    return times


@contextmanager
def slow_clients(url: str) -> Iterator[None]:
    host = (httpx.URL(url).host, httpx.URL(url).port or 80)
    send = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999\r\n\r\n"
    read = f"GET {LONG} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    over = threading.Event()
    with ExitStack() as held:

        def connections(count: int, sent: bytes) -> list[socket.socket]:
            made = [held.enter_context(socket.create_connection(host)) for _ in range(count)]
            for each in made:
                each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                each.sendall(sent)
            return made

        connections(IDLE, b"")
        senders, readers = connections(SENDING, send), connections(READING, read)

        def trickle() -> None:
            while not over.wait(1):
                for sender, reader in zip(senders, readers, strict=True):
                    with suppress(OSError):
                        sender.send(b"x")
                        reader.recv(1)

        thread = threading.Thread(target=trickle)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


if __name__ == "__main__":
    main()
