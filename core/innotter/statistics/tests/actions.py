"""What people do on pages, at random; and the events of it."""

import json
import random
from collections.abc import Callable
from contextlib import suppress

from innotter.accounts.models import User
from innotter.common.errors import Conflict, Forbidden, Invalid, NotFound
from innotter.conftest import new_post
from innotter.events.models import OutboxEvent
from innotter.pages.follows import accept_requests, follow, reject_requests, unfollow
from innotter.pages.models import Page
from innotter.pages.services import edit_page
from innotter.posts.models import Post
from innotter.posts.services import delete_post, like, unlike
from innotter_contracts.events import Event, parse_event


def recorded() -> list[Event]:
    bodies = OutboxEvent.objects.order_by("id").values_list("body", flat=True)
    return [parse_event(json.dumps(body)) for body in bodies]


def random_action(chance: random.Random, people: list[User], pages: list[Page]) -> None:
    """One that somebody tries; nothing where it is refused, by whom asks or by what others do
    meanwhile: a post is not theirs to see, or just deleted."""
    user, page = chance.choice(people), chance.choice(pages)
    posts = list(Post.objects.filter(page__in=pages).order_by("id"))
    post = chance.choice(posts) if posts else None
    actions: list[Callable[[], object]] = [
        lambda: new_post(page),
        lambda: new_post(page, reply_to=post),
        lambda: post and like(actor=user, post=post),
        lambda: post and like(actor=user, post=post),
        lambda: post and unlike(actor=user, post=post),
        lambda: post and delete_post(actor=post.page.owner, post=post),
        lambda: follow(actor=user, page=page),
        lambda: follow(actor=user, page=page),
        lambda: unfollow(actor=user, page=page),
        lambda: accept_requests(actor=page.owner, page=page, usernames=[user.username]),
        lambda: reject_requests(actor=page.owner, page=page, usernames=[user.username]),
        lambda: edit_page(actor=page.owner, page=page, is_private=chance.random() < 0.5),
        lambda: edit_page(actor=page.owner, page=page, name=f"Name {chance.random()}"),
    ]
    with suppress(Conflict, Forbidden, Invalid, NotFound):
        chance.choice(actions)()
