"""Blocked means blocked, and a stolen key is no key: with a valid token, in both services.

The promise is two seconds. The core looks at the user on each request, so that the next one is
refused; statistics refuse from the moment on at which they have consumed the event, and keep
nothing in memory. How long an event travels, `make bench ARGS=counting` says.
"""

import pytest

from dev.stack import Stack, manage
from tests.people import Person, eventually

pytestmark = pytest.mark.xdist_group("stack")


def test_a_block_and_its_end_work_at_the_next_request_in_both_services(stack: Stack) -> None:
    ann, admin = Person.arrives(stack, "ann"), Person.arrives(stack, "admin")
    command = manage("promote", admin.name)
    stack.processes.run(f"promote-{admin.name}", command, env=stack.env, seconds=60)
    uuid = ann.new_page()
    eventually(lambda: ann.statistics(uuid).status_code, lambda now: now == 200)

    def consumed(event: str) -> int:
        return stack.log("consumer").count(event)

    for _ in range(2):
        before = consumed("user.blocked")
        admin.post(f"/users/{ann.name}/block", expect=204)
        ann.get("/users/me", expect=401)
        ann.get("/pages", expect=401)
        eventually(lambda: consumed("user.blocked"), lambda now: now > before)  # noqa: B023
        refused = ann.statistics(uuid)
        assert (refused.status_code, refused.json()["code"]) == (401, "user_blocked")

        before = consumed("user.unblocked")
        admin.delete(f"/users/{ann.name}/block", expect=204)
        ann.get("/users/me")
        eventually(lambda: consumed("user.unblocked"), lambda now: now > before)  # noqa: B023
        assert ann.statistics(uuid).status_code == 200


def test_tokens_of_stolen_keys_are_refused_in_both_services(stack: Stack) -> None:
    """Statistics ask every second: innotter_stats/tests/test_keys.py."""
    ann = Person.arrives(stack, "ann")
    uuid = ann.new_page()
    eventually(lambda: ann.statistics(uuid).status_code, lambda now: now == 200)
    command = manage("rotate_signing_keys", "--stolen")
    stack.processes.run("rotate-keys", command, env=stack.env, seconds=60)
    ann.get("/users/me", expect=401)
    refused = eventually(lambda: ann.statistics(uuid), lambda now: now.status_code == 401)
    assert refused.json()["code"] == "invalid_token"
    ann.log_in()
    eventually(lambda: ann.statistics(uuid).status_code, lambda now: now == 200)
