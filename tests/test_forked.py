"""The roles of each service as `make run` and compose.yaml run them: forked from one process. Any
of them may be killed, and the others don't notice."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from dev.rabbitmq import at_vhost
from dev.stack import SERVICES, Stack
from dev.testing import stack_for_tests
from tests.people import Person, eventually, totals

pytestmark = pytest.mark.xdist_group("forked")


@pytest.fixture(scope="module")
def stack(all_services: None) -> Iterator[Stack]:
    broker = at_vhost(os.environ["AMQP_URL"], "forked")
    with stack_for_tests(forked=True, AMQP_URL=broker) as stack:
        yield stack


def pids(stack: Stack) -> dict[str, int]:
    """By role, of those that run."""
    found = {}
    for service, roles in SERVICES.items():
        for child in psutil.Process(stack.processes.by_name[service].pid).children():
            name = Path(f"/proc/{child.pid}/comm").read_text().strip()
            found[service if name == "api" else name] = child.pid
        assert found.keys() <= {role for each in SERVICES.values() for role in each}, roles
    return found


def living(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Without the dead whom process 1 has not collected."""
    found = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def serves_metrics(stack: Stack, role: str) -> bool:
    try:
        return httpx.get(stack.metrics_url(role)).is_success
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("role", [role for roles in SERVICES.values() for role in roles])
def test_a_role_that_is_killed_is_back_and_no_other_has_noticed(stack: Stack, role: str) -> None:
    before = eventually(lambda: pids(stack), lambda found: role in found)
    psutil.Process(before[role]).kill()
    after = eventually(
        lambda: pids(stack), lambda found: found.get(role, before[role]) != before[role]
    )
    assert {other for other in before if before[other] != after.get(other)} == {role}
    assert eventually(lambda: serves_metrics(stack, role), bool, seconds=60)


def test_a_process_of_the_api_that_is_killed_is_replaced(stack: Stack) -> None:
    api = psutil.Process(eventually(lambda: pids(stack), lambda found: "core" in found)["core"])
    old = eventually(lambda: set(api.children()), len)
    for child in old:
        child.kill()
    new = eventually(lambda: set(api.children()) - old, lambda found: len(found) == len(old))
    assert new
    eventually(lambda: answers(stack), bool)


def answers(stack: Stack) -> bool:
    try:
        return httpx.get(f"{stack.core_url}/health/ready").is_success
    except httpx.TransportError:
        return False


def test_a_post_arrives_everywhere_after_all_that(stack: Stack) -> None:
    stack.wait_until_ready()
    ann = Person.arrives(stack, "ann")
    bob = Person.arrives(stack, "bob", confirmed=True)
    uuid = ann.new_page()
    bob.post(f"/pages/{uuid}/follow")
    ann.post(f"/pages/{uuid}/posts", content="Is everybody back?", expect=201)
    assert len(eventually(bob.inbox, len, seconds=60)) == 1
    eventually(lambda: totals(ann, uuid), lambda counts: counts.get("posts") == 1)


def test_each_role_counts_for_itself(stack: Stack) -> None:
    """What the worker has done is shown at its port and at no other."""

    def shown(role: str) -> bool:
        text = httpx.get(stack.metrics_url(role)).text
        return 'innotter_tasks_total{outcome="success",task="innotter.mail.send_due"}' in text

    eventually(lambda: shown("worker"), bool)
    counted = {role: httpx.get(stack.metrics_url(role)).text for role in SERVICES["core"]}
    assert "innotter_scheduler_idle_seconds" in counted["scheduler"]
    assert "innotter_scheduler_idle_seconds" not in counted["worker"]
    assert "innotter_outbox_waiting" in counted["relay"]
    assert "innotter_core_ready 1.0" in counted["core"]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_that_is_killed_leaves_nobody_behind(stack: Stack, service: str) -> None:
    process = stack.processes.by_name[service]
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= len(SERVICES[service])
    # Not its group: Linux alone tells them.
    process.send(signal.SIGKILL)
    eventually(lambda: living(family), lambda left: not left)
    stack.kill(service)
    stack.start(service)


def test_a_service_ends_by_sigterm_and_with_it_all_its_roles(stack: Stack) -> None:
    stack.wait_until_ready()
    for service in SERVICES:
        family = psutil.Process(stack.processes.by_name[service].pid).children(recursive=True)
        assert stack.replace(service) == 0
        assert living(family) == []
    stack.wait_until_ready()
