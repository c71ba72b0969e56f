"""Mail that SES does not take waits in the database, whatever becomes of the worker."""

import pytest

from dev.house import House
from tests.people import Person, eventually

pytestmark = pytest.mark.xdist_group("house")


def test_mail_leaves_when_ses_returns(house: House) -> None:
    ann = Person.arrives(house, "ann")
    bob = Person.arrives(house, "bob")
    uuid = ann.new_page()
    bob.post(f"/pages/{uuid}/follow")

    house.kill("worker")
    ses = house.env["AWS_ENDPOINT_URL"]
    # Nobody listens there.
    house.env["AWS_ENDPOINT_URL"] = "http://127.0.0.1:1"
    try:
        house.start("worker")
        post = ann.post(f"/pages/{uuid}/posts", content="Is the post office open?", expect=201)
        eventually(lambda: house.log("worker"), lambda log: "retried" in log and post["id"] in log)
    finally:
        house.kill("worker")
        house.env["AWS_ENDPOINT_URL"] = ses
    assert bob.inbox() == []

    house.start("worker")
    mails = eventually(bob.inbox, len, seconds=60)
    assert "Is the post office open?" in str(mails)
    assert len(mails) == 1
