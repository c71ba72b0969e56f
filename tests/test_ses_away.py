"""Mail that SES does not take waits in the database, whatever becomes of the worker."""

import pytest

from dev.stack import Stack
from tests.people import Person, eventually

pytestmark = pytest.mark.xdist_group("stack")


def test_mail_leaves_when_ses_returns(stack: Stack) -> None:
    ann = Person.arrives(stack, "ann")
    bob = Person.arrives(stack, "bob", confirmed=True)
    uuid = ann.new_page()
    bob.post(f"/pages/{uuid}/follow")

    stack.kill("worker")
    ses = stack.env["AWS_ENDPOINT_URL"]
    # Nobody listens there.
    stack.env["AWS_ENDPOINT_URL"] = "http://127.0.0.1:1"
    try:
        stack.start("worker")
        post = ann.post(f"/pages/{uuid}/posts", content="Is the post office open?", expect=201)
        eventually(lambda: stack.log("worker"), lambda log: "retried" in log and post["id"] in log)
    finally:
        stack.kill("worker")
        stack.env["AWS_ENDPOINT_URL"] = ses
    assert bob.inbox() == []

    stack.start("worker")
    mails = eventually(bob.inbox, len, seconds=60)
    assert "Is the post office open?" in str(mails)
    assert len(mails) == 1
