"""A program that asks: keeps so many connections busy for so long, and prints what it saw as JSON.

    python bench/load.py PORT CONNECTIONS SECONDS < REQUESTS

REQUESTS: a JSON list of [method, path, body or null, [[header, value], …]]. Each connection begins
at a place of its own. A process of its own, so that its time is nobody else's.
"""

import json
import random
import socket
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO

HOST = "localhost"

type Headers = list[tuple[str, str]]


def main() -> None:
    port, connections = int(sys.argv[1]), int(sys.argv[2])
    until = time.monotonic() + float(sys.argv[3])
    requests = [encoded(port, *each) for each in json.load(sys.stdin)]
    with ThreadPoolExecutor(connections) as pool:
        seen = list(pool.map(lambda _: ask(port, requests, until), range(connections)))
    took = sorted(seconds for each, _ in seen for seconds in each)
    wrong = [status for _, statuses in seen for status in statuses]
    if not took:
        raise SystemExit(f"No good answer: {sorted(set(wrong))}")
    print(
        json.dumps(
            {
                "answers": len(took),
                "wrong": len(wrong),
                "median_ms": 1000 * statistics.median(took),
                "p99_ms": 1000 * took[len(took) * 99 // 100],
            }
        )
    )


def encoded(port: int, method: str, path: str, body: str | None, headers: Headers) -> bytes:
    sent = (body or "").encode()
    head = [f"{method} {path} HTTP/1.1", f"Host: {HOST}:{port}"]
    head += [f"{name}: {value}" for name, value in headers]
    if body is not None:
        head += ["Content-Type: application/json", f"Content-Length: {len(sent)}"]
    return "\r\n".join([*head, "", ""]).encode() + sent


def ask(port: int, requests: list[bytes], until: float) -> tuple[list[float], list[int]]:
    """Seconds of each good answer, and the statuses of the others."""
    took: list[float] = []
    wrong: list[int] = []
    place = random.randrange(len(requests))  # noqa: S311 # where it begins is no secret
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answers = connection.makefile("rb")
        while (began := time.monotonic()) < until:
            place = (place + 1) % len(requests)
            connection.sendall(requests[place])
            status = read(answers)
            if 200 <= status < 300:
                took.append(time.monotonic() - began)
            else:
                wrong.append(status)
    return took, wrong


def read(answers: BinaryIO) -> int:
    """One answer to its end; its status."""
    status = int(answers.readline().split()[1])
    length = 0
    while (line := answers.readline()) not in (b"\r\n", b""):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    answers.read(length)
    return status


if __name__ == "__main__":
    main()
