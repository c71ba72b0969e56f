"""The person on call asks where a post's effects stand."""

import subprocess

import pytest

from dev.stack import Stack, manage
from tests.people import Person, eventually, totals

pytestmark = pytest.mark.xdist_group("stack")


def test_a_post_is_followed_to_its_end(stack: Stack) -> None:
    ann, bob = Person.arrives(stack, "ann"), Person.arrives(stack, "bob", confirmed=True)
    uuid = ann.new_page()
    bob.post(f"/pages/{uuid}/follow")
    post = ann.post(f"/pages/{uuid}/posts", content="Where am I?", expect=201)
    eventually(bob.inbox, len)
    eventually(lambda: totals(ann, uuid), lambda counts: counts.get("posts") == 1)

    def trace() -> str:
        command = manage("trace_post", post["id"])
        return subprocess.check_output(command, env=stack.env, text=True, timeout=60)

    # The worker writes down that the mail is sent a moment after it is in the inbox.
    said = eventually(trace, lambda said: "sent: 1" in said)
    assert f"post on {uuid}" in said
    assert "published" in said
    assert "counted" in said
    assert "not counted" not in said
