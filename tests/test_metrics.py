"""Each process serves its metrics at a port that is not public."""

import re
from pathlib import Path

import httpx
import pytest

from dev.paths import ROOT
from dev.stack import MEASURED, MEMORY, Stack
from tests.people import Person, eventually

pytestmark = pytest.mark.xdist_group("stack")


def measured(stack: Stack, name: str) -> dict[str, float]:
    """What a process says it has counted, by the name and labels of each figure."""
    text = httpx.get(stack.metrics_url(name)).raise_for_status().text
    return {key: float(value) for key, value in re.findall(r"^([^#\s].*) (\S+)$", text, re.M)}


def figures(stack: Stack, process: str, name: str, **labels: str) -> list[float]:
    """A figure, for all labels that are not given."""
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    return [
        value
        for key, value in measured(stack, process).items()
        if key.partition("{")[0] == name and all(label in key for label in wanted)
    ]


def total(stack: Stack, process: str, name: str, **labels: str) -> float:
    """A counter, which is not shown before it has counted."""
    return sum(figures(stack, process, name, **labels))


def gauge(stack: Stack, process: str, name: str, **labels: str) -> float:
    [value] = figures(stack, process, name, **labels)
    return value


def test_requests_are_counted_by_route_and_never_by_path(stack: Stack) -> None:
    ann = Person.arrives(stack, "ann")
    uuid = ann.new_page()
    before = total(stack, "core", "innotter_request_seconds_count", method="GET", status="200")
    for _ in range(20):
        ann.get(f"/pages/{uuid}")
    # Both of the API's processes have answered some of them.
    after = total(stack, "core", "innotter_request_seconds_count", method="GET", status="200")
    assert after - before == 20
    assert uuid not in str(measured(stack, "core"))


def test_a_made_up_method_makes_no_figure_of_its_own(stack: Stack) -> None:
    httpx.request("MADEUP", f"{stack.core_url}/api/v1/pages")
    assert total(stack, "core", "innotter_request_seconds_count", method="other") >= 1
    assert "MADEUP" not in str(measured(stack, "core"))


def test_the_public_does_not_reach_the_figures(stack: Stack) -> None:
    inner = httpx.URL(stack.metrics_url("core"))
    for headers in ({}, {"Host": inner.netloc.decode()}):
        assert httpx.get(f"{stack.core_url}/metrics", headers=headers).status_code == 404
    # That port serves nothing else.
    assert "innotter_request" in httpx.get(inner.join("/api/v1/pages")).text


def test_tasks_are_counted_by_name_and_outcome(stack: Stack) -> None:
    ann = Person.arrives(stack, "ann")
    uuid = ann.new_page()
    labels = {"task": "innotter.mail.notify_followers", "outcome": "success"}

    def ended() -> float:
        return total(stack, "worker", "innotter_tasks_total", **labels)

    before = ended()
    ann.post(f"/pages/{uuid}/posts", content="Count me.", expect=201)
    assert eventually(ended, lambda count: count > before) == before + 1


def test_statistics_counts_its_requests_and_its_events(stack: Stack) -> None:
    ann = Person.arrives(stack, "ann")
    uuid = ann.new_page()
    counted = total(stack, "consumer", "innotter_stats_events_total", outcome="counted")
    ann.post(f"/pages/{uuid}/posts", content="Count me.", expect=201)
    eventually(
        lambda: total(stack, "consumer", "innotter_stats_events_total", outcome="counted"),
        lambda count: count > counted,
    )
    route = {"route": "/api/v1/pages/{uuid}/statistics", "status": "200"}
    before = total(stack, "stats", "innotter_stats_request_seconds_count", **route)
    assert ann.statistics(uuid).status_code == 200
    assert total(stack, "stats", "innotter_stats_request_seconds_count", **route) == before + 1
    assert uuid not in str(measured(stack, "stats"))
    assert httpx.get(f"{stack.stats_url}/metrics").status_code == 404


def test_each_process_serves_what_alarms_and_dashboard_speak_of(stack: Stack) -> None:
    """From the start, and so before anything of it has happened."""
    files = [*(ROOT / "deploy" / "prometheus").iterdir()]
    named = {name for file in files for name in re.findall(r"innotter_\w+", file.read_text())}
    served = {key.partition("{")[0] for name in MEASURED for key in measured(stack, name)}
    assert named
    assert named <= served


def test_a_counter_of_failures_is_there_before_the_first(stack: Stack) -> None:
    """What is first seen at 500 has not grown."""
    for process, name, labels in (
        ("worker", "innotter_mails_total", {"outcome": "unknown"}),
        ("worker", "innotter_tasks_total", {"task": "innotter.mail.prune_deliveries"}),
        ("core", "innotter_throttled_total", {"limit": "registrations_as_name"}),
        ("consumer", "innotter_stats_events_total", {"outcome": "rejected"}),
        ("relay", "innotter_outbox_failed_total", {}),
        ("core", "innotter_request_failures_total", {}),
        ("stats", "innotter_stats_request_failures_total", {}),
    ):
        assert figures(stack, process, name, **labels), name


def test_what_processes_count_together_lies_in_memory(stack: Stack) -> None:
    """It is mapped: on a full disk the first write to it would kill who writes."""
    folder = Path(stack.counting("core")["PROMETHEUS_MULTIPROC_DIR"])
    assert list(folder.glob("*.db"))
    assert folder.is_relative_to(MEMORY) or not MEMORY.is_dir()
    for entrypoint in (ROOT / "deploy" / "core").glob("*entrypoint.sh"):
        for place in re.findall(r"PROMETHEUS_MULTIPROC_DIR=(.+)", entrypoint.read_text()):
            assert str(MEMORY) in place


def test_the_relay_tells_of_outbox_queues_and_broker(stack: Stack) -> None:
    before = total(stack, "relay", "innotter_outbox_published_total")
    Person.arrives(stack, "ann").new_page()
    eventually(lambda: total(stack, "relay", "innotter_outbox_published_total"), before.__lt__)
    eventually(lambda: gauge(stack, "relay", "innotter_outbox_waiting"), lambda count: count == 0)
    assert gauge(stack, "relay", "innotter_outbox_oldest_seconds") < 60
    assert gauge(stack, "relay", "innotter_broker_up") == 1
    assert gauge(stack, "relay", "innotter_queue_consumers", queue="stats") >= 1
    assert gauge(stack, "relay", "innotter_queue_messages", queue="stats.dead") == 0
