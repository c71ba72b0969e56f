"""What the site costs a phone and the server, beside the bars that it has to keep.

    make bench ARGS=site            five runs of Lighthouse for each page
    make bench ARGS="site 1"        one
    make bench ARGS="site 0"        none: the server alone

The demo data, Lighthouse as it measures a phone (by npx, which needs Node 20), where `!` marks what
is beyond its bar, and then what the feed's page, `GET /feed`, the poll and an empty request cost
the server, by turns (bench/turns.py). It takes some five minutes on a quiet machine.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.asked import Asked, reads
from bench.turns import Server, by_turns, ratio_of
from dev import tools
from dev.browser import FLAGS
from dev.demo import PASSWORD
from dev.stack import Stack, manage
from dev.testing import stack_for_tests

LIGHTHOUSE = "lighthouse@12.2.3"
CATEGORIES = {"performance": 99, "accessibility": 100, "best-practices": 100, "seo": 100}
# Milliseconds, and of the shift its score.
METRICS = {
    "first-contentful-paint": 1000,
    "largest-contentful-paint": 1000,
    "total-blocking-time": 30,
    "cumulative-layout-shift": 0.01,
}
MOST_TIMES = 1.5
MOST_PART = 0.1


def main() -> None:
    runs = int(sys.argv[1]) if sys.argv[1:] else 5
    print(f"Load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    with tempfile.TemporaryDirectory() as static:
        # As `make run` and the images serve them.
        env = {**os.environ, "STATIC_ROOT": static}
        subprocess.run(manage("collectstatic", "--noinput", "--verbosity=0"), env=env, check=True)  # noqa: S603
        measure(runs, static)


def measure(runs: int, static: str) -> None:
    with stack_for_tests(STATIC_ROOT=static) as stack:
        demo = [sys.executable, "-m", "dev.demo"]
        stack.processes.run("demo", demo, env=stack.env, seconds=300)
        bob = signed_in(stack)
        if runs:
            measure_pages(stack, bob, runs)
        compare_with_the_api(stack, bob)


def measure_pages(stack: Stack, bob: httpx.Client, runs: int) -> None:
    bars = " ".join(f"{name[:13]:>13} " for name in (*CATEGORIES, *METRICS))
    print(f"{'':<26}{bars}")
    wanted = " ".join(f"{bar:>13} " for bar in (*CATEGORIES.values(), *METRICS.values()))
    print(f"{'bars':<26}{wanted}", flush=True)
    for path in paths(bob):
        for who, cookie in (("out", ""), ("in", cookie_of(bob))):
            measured = lighthouse(f"{stack.core_url}{path}", cookie, runs)
            print(f"{path[:20]:<21} {who:<4}{row(measured, who)}", flush=True)


def row(measured: list[float], who: str) -> str:
    """What is beyond its bar is marked. Nothing private is for search engines."""
    scores = [
        value < bar and (name, who) != ("seo", "in")
        for value, (name, bar) in zip(measured, CATEGORIES.items(), strict=False)
    ]
    metrics = zip(measured[len(CATEGORIES) :], METRICS.values(), strict=True)
    beyond = [*scores, *(value > bar for value, bar in metrics)]
    return " ".join(
        f"{value:>13.4g}{'!' if missed else ' '}"
        for value, missed in zip(measured, beyond, strict=True)
    )


def signed_in(stack: Stack) -> httpx.Client:
    """A browser of Bob's."""
    client = httpx.Client(base_url=stack.core_url, timeout=60, follow_redirects=True)
    client.get("/login")
    fields = {"login": "bob", "password": PASSWORD, "csrfmiddlewaretoken": csrf_of(client)}
    client.post("/login", data=fields, headers={"Origin": stack.core_url}).raise_for_status()
    assert "My pages" in client.get("/").text
    return client


def csrf_of(client: httpx.Client) -> str:
    return next(value for name, value in client.cookies.items() if "csrf" in name)


def cookie_of(client: httpx.Client) -> str:
    return "; ".join(f"{name}={value}" for name, value in client.cookies.items())


def paths(bob: httpx.Client) -> Iterator[str]:
    """The feed, a page, a post and the search."""
    token = bob.post("/api/v1/auth/login", json={"login": "bob", "password": PASSWORD}).json()
    headers = {"Authorization": f"Bearer {token['access']}"}
    posts = bob.get("/api/v1/feed", headers=headers).json()["results"]
    public = [post for post in posts if bob.get(f"/@{post['page']['uuid']}.atom").is_success]
    uuid = public[0]["page"]["uuid"]
    yield from ("/", f"/@{uuid}", f"/@{uuid}/{public[0]['id']}", "/search")


def lighthouse(url: str, cookie: str, runs: int) -> list[float]:
    """Medians: the scores of the categories, of 100, and the metrics."""
    reports = [one_report(url, cookie) for _ in range(runs)]
    scores = [
        [100 * (report["categories"][name]["score"] or 0) for report in reports]
        for name in CATEGORIES
    ]
    metrics = [[report["audits"][name]["numericValue"] for report in reports] for name in METRICS]
    return [median(values) for values in (*scores, *metrics)]


def one_report(url: str, cookie: str) -> dict[str, Any]:
    command = ["npx", "--yes", LIGHTHOUSE, url, "--quiet", "--output=json", "--output-path=stdout"]
    command += [f"--chrome-flags=--headless=new {' '.join(FLAGS)}"]
    command += [f"--only-categories={','.join(CATEGORIES)}"]
    if cookie:
        command += [f"--extra-headers={json.dumps({'Cookie': cookie})}"]
    env = {**os.environ, "CHROME_PATH": str(tools.chromium())}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)  # noqa: S603
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def compare_with_the_api(stack: Stack, bob: httpx.Client) -> None:
    token = bob.post("/api/v1/auth/login", json={"login": "bob", "password": PASSWORD}).json()
    bearer = {"Authorization": f"Bearer {token['access']}"}
    newest = bob.get("/api/v1/feed", headers=bearer).json()["previous"] or ""
    polled = f"/feed/new?after={httpx.URL(newest).params.get('cursor', '')}"
    # As a page goes on where others have written since.
    polled = bob.get(polled).links.get("next", {"url": polled})["url"]
    browser = {"Cookie": cookie_of(bob), "Accept-Encoding": "gzip"}
    paths = {"page": "/", "API": "/api/v1/feed", "poll": polled, "empty": "/health/live"}
    asked = {
        name: Asked("", reads([path]), tuple((bearer if name == "API" else browser).items()))
        for name, path in paths.items()
    }
    port = urlsplit(stack.core_url).port or 0
    core = Server(stack.processes.by_name["core"], port, stack.env["DATABASE_URL"])
    costs = by_turns(dict.fromkeys(asked, core), asked)
    assert not any(cost.wrong for each in costs.values() for cost in each)
    print("Processor milliseconds of server and PostgreSQL:", end=" ")
    took = {name: median(cost.processor for cost in each) for name, each in costs.items()}
    print(", ".join(f"{name} {ms:.2f}" for name, ms in took.items()))
    times = ratio_of(costs["page"], costs["API"])
    part = ratio_of(costs["poll"], costs["page"])
    print(f"The feed's page is {times:.2f} times GET /feed (bar {MOST_TIMES}),", end=" ")
    print(f"the poll {part:.2f} of the page (bar {MOST_PART})")


if __name__ == "__main__":
    main()
