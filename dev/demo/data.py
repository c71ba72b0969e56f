"""Creates the demo data through the core's own services, so that events, statistics and mail
are real too.

Everything is planned first and then done in the order of time, with the clock set back to each
moment: ids, `created_at` and `occurred_at` agree as if it had happened. The same plan at every
run, counted back from the present.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, partial
from random import Random
from unittest.mock import patch

import time_machine
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import transaction

from dev.demo import PASSWORD, TOTP_SECRET, TOTP_USER
from dev.demo.texts import PageText, PersonText, read_people, replies_in
from innotter.accounts.encryption import encrypted
from innotter.accounts.models import Totp, User
from innotter.accounts.services import register
from innotter.pages.follows import follow
from innotter.pages.models import Follow, Page
from innotter.pages.services import create_page
from innotter.posts.models import Like, Post
from innotter.posts.services import create_post, like

SEED = 180
LENGTH = timedelta(days=35)
# Since the beginning: by then all have an account, all pages are there, private ones close.
ALL_REGISTERED = timedelta(hours=12)
ALL_FOUNDED = timedelta(hours=36)
PRIVATE_CLOSE = timedelta(days=3)
# There is no service for these two yet.
ROLES = {"admin": User.Role.ADMIN, "moderator": User.Role.MODERATOR}
# Few instant ones: otherwise mail takes minutes at the rate that SES allows.
NOTIFICATIONS = {"instant": 5, "hourly": 25, "daily": 40, "off": 30}


class Refused(Exception):
    """Demo data is not allowed here."""


class NotEmpty(Refused):
    """The database has users already."""


@dataclass(frozen=True)
class DemoData:
    users: int
    pages: int
    posts: int
    replies: int
    likes: int
    follows: int
    requests: int

    def __str__(self) -> str:
        return (
            f"{self.users} people, {self.pages} pages, {self.posts} posts and "
            f"{self.replies} replies, {self.likes} likes, {self.follows} follows, "
            f"{self.requests} follow requests waiting"
        )


@transaction.atomic
def create_demo_data(now: datetime) -> DemoData:
    """Creates all of it in one transaction.

    Raises Refused in production and NotEmpty where there is any user.
    """
    if settings.INNOTTER_ENV == "production":
        raise Refused("Demo data has no place in production.")
    if User.objects.exists():
        raise NotEmpty("There are users already: demo data is for an empty database.")
    _Story(read_people(), now).happen()
    _add_totp(User.objects.get(username=TOTP_USER), now)
    replies = Post.objects.filter(reply_to__isnull=False).count()
    waiting = Follow.objects.filter(accepted_at=None).count()
    return DemoData(
        users=User.objects.count(),
        pages=Page.objects.count(),
        posts=Post.objects.count() - replies,
        replies=replies,
        likes=Like.objects.count(),
        follows=Follow.objects.count() - waiting,
        requests=waiting,
    )


def _add_totp(user: User, now: datetime) -> None:
    Totp.objects.create(user=user, secret=encrypted(TOTP_SECRET), confirmed_at=now)
    user.has_second_factor = True
    user.save(update_fields=["has_second_factor"])


class _Story:
    """What everybody does, and when."""

    def __init__(self, people: list[PersonText], now: datetime) -> None:
        self.people = people
        self.now = now
        self.beginning = now - LENGTH
        self.random = Random(SEED)  # noqa: S311 # the same data every time
        self.steps: list[tuple[datetime, Callable[[], object]]] = []
        # What there is so far, while it happens.
        self.users: dict[str, User] = {}
        self.pages: dict[str, Page] = {}
        self.posts: dict[str, Post] = {}
        self._plan()

    def happen(self) -> None:
        # One password, hashed once: thirty times would be most of the time that all this takes.
        hashed_once = patch("django.contrib.auth.base_user.make_password", cache(make_password))
        # Counting has a transaction of its own, and this is one already.
        unlimited = patch.dict(settings.LIMITS, writes=(0, 60))
        with hashed_once, unlimited, time_machine.travel(self.beginning, tick=False) as clock:
            for moment, act in sorted(self.steps, key=lambda step: step[0]):
                clock.move_to(moment)
                act()

    # The plan

    def _plan(self) -> None:
        self.owners = {page.uuid: person.username for person, page in self._all_pages()}
        for person in self.people:
            notifications = self._notifications_of(person)
            registered = self._between(self.beginning, self.beginning + ALL_REGISTERED)
            self._at(registered, self._register, person, notifications)
        for person, page in self._all_pages():
            founded = self.beginning + ALL_REGISTERED, self.beginning + ALL_FOUNDED
            self._at(self._between(*founded), self._create_page, person, page)
        followers = self._plan_follows()
        for person, page in self._all_pages():
            self._plan_posts(person, page, followers[page.uuid])

    def _plan_follows(self) -> dict[str, list[str]]:
        """Who follows which page in the end."""
        followers: dict[str, list[str]] = {uuid: [] for uuid in self.owners}
        for person in self.people:
            for page in self._choice_of(person):
                followers[page.uuid].append(person.username)
                # Most find a page in its first days.
                since = (self.now - self.beginning - ALL_FOUNDED) * self.random.random() ** 2
                moment = self.beginning + ALL_FOUNDED + since
                self._at(moment, self._follow, person.username, page.uuid)
        for _, page in self._all_pages():
            if page.is_private:
                followers[page.uuid] = page.members
                self._plan_private(page)
        return followers

    def _plan_private(self, page: PageText) -> None:
        """Begins as a public page, because nobody can accept a request yet, and keeps the
        followers of those days."""
        closes = self.beginning + PRIVATE_CLOSE
        for member in page.members:
            moment = self._between(self.beginning + ALL_FOUNDED, closes)
            self._at(moment, self._follow, member, page.uuid)
        self._at(closes, self._make_private, page.uuid)
        for user in page.waiting:
            moment = self._between(self.now - timedelta(days=6), self.now)
            self._at(moment, self._follow, user, page.uuid)

    def _choice_of(self, person: PersonText) -> list[PageText]:
        """The public pages that they follow: popular ones and those in their language more."""
        weighted = {}
        for owner, page in self._all_pages():
            if owner != person and not page.is_private:
                weight = page.popularity * (1 if owner.language == person.language else 0.2)
                weighted[page.uuid] = self.random.random() ** (1 / weight), page
        best = sorted(weighted.values(), key=lambda one: one[0], reverse=True)
        return [page for _, page in best[: person.follows or self.random.randint(5, 9)]]

    def _plan_posts(self, person: PersonText, page: PageText, followers: list[str]) -> None:
        # The younger the busier.
        days = LENGTH - PRIVATE_CLOSE
        moments = sorted(self.now - days * self.random.random() ** 1.6 for _ in page.posts)
        for thread, moment in zip(page.posts, moments, strict=True):
            self._plan_post(page.uuid, thread[0], moment, followers, reply_to=None)
            times, contents = [moment], [thread[0]]
            for reply in replies_in(page, thread):
                before = 0 if reply.answers is None else reply.answers + 1
                times.append(self._soon_after(times[before]))
                contents.append(reply.content)
                self._plan_post(
                    reply.page, reply.content, times[-1], followers, reply_to=contents[before]
                )

    def _plan_post(
        self, uuid: str, content: str, moment: datetime, readers: list[str], reply_to: str | None
    ) -> None:
        """A post, which is known by its text from then on, and the likes of some readers."""
        self._at(moment, self._post, uuid, content, reply_to)
        charm = self.random.uniform(0, 0.5 if reply_to is None else 0.3)
        for reader in readers:
            if reader != self.owners[uuid] and self.random.random() < charm:
                self._at(self._soon_after(moment), self._like, reader, content)

    def _at(self, moment: datetime, act: Callable[..., object], *arguments: object) -> None:
        self.steps.append((moment, partial(act, *arguments)))

    def _between(self, first: datetime, last: datetime) -> datetime:
        return first + (last - first) * self.random.random()

    def _soon_after(self, moment: datetime) -> datetime:
        """Within hours as a rule, and never in the future."""
        delay = timedelta(hours=self.random.expovariate(1 / 5))
        return moment + min(delay, (self.now - moment) * self.random.random())

    def _notifications_of(self, person: PersonText) -> str:
        if person.username == "ann":
            return User.EmailNotifications.INSTANT
        chosen = self.random.choices(list(NOTIFICATIONS), list(NOTIFICATIONS.values()))
        return chosen[0]

    def _all_pages(self) -> list[tuple[PersonText, PageText]]:
        return [(person, page) for person in self.people for page in person.pages]

    # The acts

    def _register(self, person: PersonText, notifications: str) -> None:
        email = f"{person.username}@example.com"
        # Who has a role has a name that nobody may register.
        make = User.objects.create_user if person.username in ROLES else register
        user = make(username=person.username, email=email, password=PASSWORD, title=person.title)
        user.role = ROLES.get(user.username, User.Role.USER)
        user.language = person.language
        user.email_notifications = notifications
        user.save()
        self.users[user.username] = user

    def _create_page(self, person: PersonText, page: PageText) -> None:
        self.pages[page.uuid] = create_page(
            actor=self.users[person.username],
            uuid=page.uuid,
            name=page.name,
            description=page.description,
            tags=page.tags,
        )

    def _follow(self, username: str, uuid: str) -> None:
        follow(actor=self.users[username], page=self.pages[uuid])

    def _make_private(self, uuid: str) -> None:
        Page.objects.filter(uuid=uuid).update(is_private=True)

    def _post(self, uuid: str, content: str, reply_to: str | None) -> None:
        parent = self.posts[reply_to] if reply_to else None
        self.posts[content] = create_post(
            actor=self.users[self.owners[uuid]],
            page=self.pages[uuid],
            content=content,
            reply_to=parent,
        )

    def _like(self, username: str, content: str) -> None:
        like(actor=self.users[username], post=self.posts[content])
