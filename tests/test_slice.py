"""One post travels the whole stack: through HTTP and running backing services."""

from functools import partial

import httpx
import jwt
import pytest

from dev.stack import Stack
from tests.people import Person, eventually, totals

# One stack, one worker of pytest.
pytestmark = pytest.mark.xdist_group("stack")


def test_one_post_travels_the_whole_stack(stack: Stack) -> None:
    ann = Person.arrives(stack, "ann")
    bob, eve = (Person.arrives(stack, name, confirmed=True) for name in ("bob", "eve"))
    harbour, second = ann.new_page(), ann.new_page()
    eve.post(f"/pages/{second}/follow")

    assert bob.post(f"/pages/{harbour}/follow") == {"follow": "following"}
    post = ann.post(f"/pages/{harbour}/posts", content="Fog over the harbour. Туман.", expect=201)
    assert bob.post(f"/posts/{post['id']}/like") == {"likes_count": 1, "liked": True}
    reply = ann.post(f"/pages/{second}/posts", content="It lifts.", reply_to=post["id"], expect=201)

    # Bob's feed shows the post at once.
    feed = bob.get("/feed")["results"]
    assert [(entry["id"], entry["viewer"]) for entry in feed] == [(post["id"], {"liked": True})]
    assert feed[0]["replies_count"] == 1
    assert bob.get(f"/posts/{post['id']}/replies")["results"][0]["id"] == reply["id"]

    # Bob's mail lies in the inbox, once; its author gets none.
    mails = eventually(bob.inbox, len)
    assert len(mails) == 1
    assert "Fog over the harbour. Туман." in str(mails[0])
    assert ann.inbox() == []

    # Eve is mailed about the next post of the page that she follows, not about the reply on it.
    ann.post(f"/pages/{second}/posts", content="Sun over the harbour.", expect=201)
    (mail,) = eventually(eve.inbox, len)
    assert "Sun over the harbour." in str(mail)
    assert "It lifts." not in str(mail)

    # Ann sees what the statistics service has counted; Bob does not.
    expected = {
        "posts": 1,
        "replies": 0,
        "replies_received": 1,
        "likes": 1,
        "followers": 1,
        "follow_requests": 0,
    }
    eventually(lambda: totals(ann, harbour), lambda counts: counts == expected)
    assert totals(ann, second)["replies"] == 1
    today = ann.statistics(harbour).json()["daily"][-1]
    assert {metric: today[metric] for metric in expected} == expected
    assert bob.statistics(harbour).status_code == 403


def test_statistics_believes_the_cores_keys_alone(stack: Stack) -> None:
    ann = Person.arrives(stack, "ann")
    jwks = httpx.get(f"{stack.core_url}/.well-known/jwks.json").json()
    assert all("d" not in key for key in jwks["keys"])

    claims = jwt.decode(ann.token, options={"verify_signature": False})
    header = jwt.get_unverified_header(ann.token)
    forged = jwt.encode(
        claims, jwks["keys"][0]["x"], "HS256", {"kid": header["kid"], "typ": header["typ"]}
    )
    for service in (stack.core_url, stack.stats_url):
        answer = httpx.get(
            f"{service}/api/v1/pages/x/statistics", headers={"Authorization": f"Bearer {forged}"}
        )
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_one_id_follows_a_post_through_every_log(stack: Stack) -> None:
    ann = Person.arrives(stack, "ann")
    bob = Person.arrives(stack, "bob", confirmed=True)
    uuid = ann.new_page()
    bob.post(f"/pages/{uuid}/follow")
    request_id = f"trace-{ann.name}"
    httpx.post(
        f"{stack.core_url}/api/v1/pages/{uuid}/posts",
        json={"content": "Where does it go?"},
        headers={"Authorization": f"Bearer {ann.token}", "X-Request-ID": request_id},
    ).raise_for_status()

    eventually(bob.inbox, len)
    for process in ("core", "relay", "worker", "consumer"):
        eventually(partial(stack.log, process), lambda log: request_id in log)
