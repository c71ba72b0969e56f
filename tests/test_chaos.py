"""Everything between a post and its effects dies again and again, and each effect arrives once.

PostgreSQL, the broker and the proxy to AWS are this module's own, so that they can be killed, too.
The emulator itself is not: it would lose what AWS does not lose.

`CHAOS_SECONDS=900 CHAOS_SEED=7 CHAOS_AWAY=rabbitmq=600,postgres=60 make test
ARGS="tests/test_chaos.py -rP"` goes on for longer, has two of them away for so many seconds each in
the middle of it, and shows what was killed how often.
"""

import os
import random
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from threading import Event, Lock
from urllib.parse import urlsplit

import httpx
import psutil
import psycopg
import pytest

from dev.stack import Stack, manage
from dev.testing import BackingServices, breakable_stack_for_tests
from innotter_contracts.events import DEAD, DELAYS, QUEUES
from tests.people import Person, eventually, mails_to, totals

SECONDS = float(os.environ.get("CHAOS_SECONDS", "15"))
SEED = int(os.environ.get("CHAOS_SEED", "1"))
LONG_OUTAGES = [part.split("=") for part in os.environ.get("CHAOS_AWAY", "").split(",") if part]
BACKING = ("postgres", "rabbitmq", "proxy")
VICTIMS = ("relay", "worker", "consumer", *BACKING)
# The longest that one is away after its death, in seconds.
AWAY = {"postgres": min(15.0, SECONDS / 5)}
# Until all that is owed has arrived.
PATIENCE = 120 + SECONDS / 2

IN_DOUBT = """
    SELECT post.content, reader.username FROM mail_delivery AS delivery
    JOIN posts_post AS post ON post.id = delivery.post_id
    JOIN accounts_user AS reader ON reader.id = delivery.recipient_id
    WHERE delivery.state IN ('sending', 'unknown')
"""

pytestmark = [pytest.mark.xdist_group("chaos"), pytest.mark.timeout(3 * SECONDS + 500)]


@pytest.fixture(scope="module")
def broken(aws: None) -> Iterator[tuple[Stack, BackingServices]]:
    with breakable_stack_for_tests() as both:
        yield both


@pytest.fixture
def stack(broken: tuple[Stack, BackingServices]) -> Stack:
    return broken[0]


@pytest.fixture
def backing(broken: tuple[Stack, BackingServices]) -> BackingServices:
    return broken[1]


def quiet(stack: Stack) -> None:
    """Waits until nothing is on its way any more."""

    def owed() -> dict[str, int]:
        with psycopg.connect(stack.env["DATABASE_URL"]) as database:
            row = database.execute(
                "SELECT count(*) FROM events_outboxevent WHERE published_at IS NULL"
            ).fetchone()
        assert row
        return {"outbox": row[0], **{queue: stack.waiting(queue) for queue in (*QUEUES, *DELAYS)}}

    eventually(owed, lambda counts: not any(counts.values()), seconds=PATIENCE)


def audit(stack: Stack) -> None:
    """Statistics equal the database."""
    command = manage("audit_statistics", "--wait", str(int(PATIENCE)))
    done = subprocess.run(command, env=stack.env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def unknown_outcomes(stack: Stack) -> set[tuple[str, str]]:
    """Mails, by their post's words and their reader's name, that SES may have sent or not: the
    worker died, or the answer was lost. They are not sent again."""
    with psycopg.connect(stack.env["DATABASE_URL"]) as database:
        return set(database.execute(IN_DOUBT).fetchall())


def connected(stack: Stack, name: str) -> set[int]:
    """The ports that the process of that name, and those that it has started, are connected to."""
    parent = psutil.Process(stack.processes.by_name[name].pid)
    return {
        connection.raddr.port
        for process in (parent, *parent.children(recursive=True))
        for connection in process.net_connections("tcp")
        if connection.raddr
    }


def mails(stack: Stack, reader: Person, posts: list[str]) -> Counter[str]:
    """How many mails the reader has got about each of the posts."""
    texts = [str(mail) for mail in mails_to(stack, reader.email)]
    return Counter({post: sum(post in text for text in texts) for post in posts})


def test_requests_know_nothing_of_the_broker_and_all_is_delivered_when_it_is_back(
    stack: Stack, backing: BackingServices
) -> None:
    writers = [Person.arrives(stack, f"writer{n}") for n in range(2)]
    reader = Person.arrives(stack, "reader", confirmed=True)
    pages = {writer.name: writer.new_page() for writer in writers}
    for uuid in pages.values():
        reader.post(f"/pages/{uuid}/follow")

    def write(writer: Person, what: str) -> list[str]:
        """Posts without a pause; their words."""
        done = [f"{what} {writer.name} {n}." for n in range(20)]
        for words in done:
            writer.post(f"/pages/{pages[writer.name]}/posts", content=words, expect=201)
        return done

    def load(what: str) -> list[str]:
        with ThreadPoolExecutor(len(writers)) as pool:
            return [words for done in pool.map(lambda w: write(w, what), writers) for words in done]

    posts = load("Before")
    # It has no connection to the broker, so that a request can wait for none.
    assert urlsplit(stack.env["DATABASE_URL"]).port in connected(stack, "core")
    assert urlsplit(stack.env["AMQP_URL"]).port not in connected(stack, "core")
    assert urlsplit(stack.env["AMQP_URL"]).port in connected(stack, "relay")
    backing.kill("rabbitmq")
    posts += load("Meanwhile")
    backing.start_again("rabbitmq")
    backing.wait_for("rabbitmq")

    quiet(stack)
    eventually(
        lambda: mails(stack, reader, posts), lambda found: all(found.values()), seconds=PATIENCE
    )
    assert set(mails(stack, reader, posts).values()) == {1}
    audit(stack)
    assert sum(totals(w, pages[w.name])["posts"] for w in writers) == len(posts)


def test_without_postgresql_requests_are_503_and_go_on_at_once_when_it_is_back(
    stack: Stack, backing: BackingServices
) -> None:
    ann, bob = Person.arrives(stack, "ann"), Person.arrives(stack, "bob", confirmed=True)
    uuid = ann.new_page()
    bob.post(f"/pages/{uuid}/follow")
    posts = f"/pages/{uuid}/posts"
    processes = {name: stack.processes.by_name[name].pid for name in stack.processes.by_name}

    backing.kill("postgres")
    # More than the core has threads, each with a connection that is dead now.
    for _ in range(20):
        assert ann.get("/feed", expect=503)["code"] == "database_unavailable"
        ann.post(posts, content="Nobody keeps this.", expect=503)
        assert httpx.get(f"{stack.core_url}/health/ready").status_code == 503
        assert httpx.get(f"{stack.core_url}/.well-known/jwks.json").is_success
    assert "Traceback" not in stack.log("core")
    backing.start_again("postgres")
    backing.wait_for("postgres")
    for _ in range(20):
        ann.get("/feed")
    ann.post(posts, content="It is back.", expect=201)

    # Closed between two requests: nobody notices.
    with psycopg.connect(stack.env["DATABASE_URL"]) as database:
        database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    for _ in range(20):
        ann.get("/feed")
    ann.post(posts, content="It is back again.", expect=201)

    eventually(bob.inbox, lambda found: "again" in str(found) and "back." in str(found))
    assert "Nobody" not in str(bob.inbox())
    eventually(lambda: totals(ann, uuid), lambda counts: counts["posts"] == 2)
    assert {name: stack.processes.by_name[name].pid for name in processes} == processes, (
        "a process was started anew"
    )
    assert not stack.processes.dead()


@dataclass
class Cast:
    """Owners who post, loyal readers who never leave, and fickle ones who come and go."""

    stack: Stack
    chance: random.Random
    owners: list[Person]
    loyal: list[Person]
    fickle: list[Person]
    pages: dict[str, str] = field(default_factory=dict)
    # Who is known to follow a page, by its uuid.
    following: dict[str, list[Person]] = field(default_factory=dict)
    # Each post's words, and who has to get a mail about it.
    posts: dict[str, list[Person]] = field(default_factory=dict)

    @classmethod
    def of(cls, stack: Stack) -> "Cast":
        owners, loyal, fickle = (
            [
                Person.arrives(stack, f"{who}{n}", patient=True, confirmed=who != "owner")
                for n in range(count)
            ]
            for who, count in (("owner", 2), ("loyal", 4), ("fickle", 2))
        )
        cast = cls(stack, random.Random(SEED), owners, loyal, fickle)
        for owner in owners:
            cast.pages[owner.name] = owner.new_page()
            cast.following[cast.pages[owner.name]] = []
        return cast

    def live(self, stop: Event) -> None:
        while not stop.wait(0.1):
            self.chance.choices([self.post, self.follow, self.waver], [6, 2, 2])[0]()

    def post(self) -> None:
        owner = self.chance.choice(self.owners)
        uuid = self.pages[owner.name]
        words = f"Post {len(self.posts)} of {owner.name}."
        self.posts[words] = list(self.following[uuid])
        post = owner.post(f"/pages/{uuid}/posts", content=words, expect=201)
        self.chance.choice(self.loyal).post(f"/posts/{post['id']}/like")

    def follow(self) -> None:
        uuid = self.chance.choice(list(self.following))
        strangers = [reader for reader in self.loyal if reader not in self.following[uuid]]
        if strangers:
            strangers[0].post(f"/pages/{uuid}/follow")
            self.following[uuid].append(strangers[0])

    def waver(self) -> None:
        uuid, reader = self.chance.choice(list(self.following)), self.chance.choice(self.fickle)
        reader.post(f"/pages/{uuid}/follow")
        if self.chance.random() < 0.5:
            reader.delete(f"/pages/{uuid}/follow", expect=204)

    def due(self) -> int:
        return sum(map(len, self.posts.values()))

    def missing(self) -> set[tuple[str, str]]:
        """Mails that are due and have not come, by their post's words and their reader's name."""
        return {
            (words, reader.name)
            for reader in self.loyal
            for words, count in mails(self.stack, reader, list(self.posts)).items()
            if not count and reader in self.posts[words]
        }

    def written(self) -> Counter[str]:
        """How often each post is there, by its words."""
        with psycopg.connect(self.stack.env["DATABASE_URL"]) as database:
            query = (
                "SELECT content FROM posts_post JOIN pages_page AS page ON page.id = page_id"
                " WHERE uuid = ANY(%s)"
            )
            rows = database.execute(query, [list(self.pages.values())]).fetchall()
        return Counter(content for (content,) in rows)

    def unavailable(self) -> int:
        """How many answers were 503."""
        return sum(person.unavailable for person in [*self.owners, *self.loyal, *self.fickle])

    def surplus(self) -> int:
        """Mails that have come once more."""
        return sum(
            count - 1
            for reader in [*self.loyal, *self.fickle]
            for count in mails(self.stack, reader, list(self.posts)).values()
            if count > 1
        )


@dataclass
class Reaper:
    """Kills at random, one at a time, and brings back."""

    stack: Stack
    backing: BackingServices
    stop: Event
    kills: Counter[str] = field(default_factory=Counter)
    # Of those that a long outage keeps away.
    held: set[str] = field(default_factory=set)
    lock: Lock = field(default_factory=Lock)

    def kill_at_random(self) -> None:
        chance = random.Random(SEED)
        while not self.stop.is_set():
            # Each has its turn, in another order each time.
            for name in chance.sample(VICTIMS, len(VICTIMS)):
                away, then = chance.uniform(0, AWAY.get(name, 1)), chance.uniform(0, 2)
                with self.lock:
                    # A service takes its time to come back: meanwhile the others die.
                    if name in self.held or (name in BACKING and not self.backing.is_up(name)):
                        continue
                    self.kill(name)
                    self.stop.wait(away)
                    self.start_again(name)
                if self.stop.wait(then):
                    return

    def keep_away(self) -> None:
        """One long outage after the other, while the rest goes on to die."""
        for name, seconds in LONG_OUTAGES:
            with self.lock:
                self.held.add(name)
                self.kill(name)
            self.stop.wait(float(seconds))
            self.start_again(name)
            self.backing.wait_for(name)
            self.held.remove(name)

    def kill(self, name: str) -> None:
        (self.backing if name in BACKING else self.stack).kill(name)
        self.kills[name] += 1

    def start_again(self, name: str) -> None:
        (self.backing.start_again if name in BACKING else self.stack.start)(name)


def test_whatever_dies_each_effect_arrives_once(stack: Stack, backing: BackingServices) -> None:
    cast, stop = Cast.of(stack), Event()
    reaper = Reaper(stack, backing, stop)
    with ThreadPoolExecutor(3) as pool:
        tasks = (partial(cast.live, stop), reaper.kill_at_random, reaper.keep_away)
        jobs = [pool.submit(task) for task in tasks]
        # A job that fails ends the others.
        for job in jobs:
            job.add_done_callback(lambda job: stop.set() if job.exception() else None)
        stop.wait(SECONDS)
        stop.set()
        for job in jobs:
            job.result()

    for name in BACKING:
        backing.wait_for(name)
    quiet(stack)
    eventually(
        lambda: cast.missing() - unknown_outcomes(stack),
        lambda missing: not missing,
        seconds=PATIENCE,
    )
    assert cast.surplus() == 0
    # What was acknowledged is there, once, however often it was sent.
    assert cast.written() == Counter(list(cast.posts))
    audit(stack)
    assert {queue: stack.waiting(queue + DEAD) for queue in QUEUES} == dict.fromkeys(QUEUES, 0)
    unknown, missing = unknown_outcomes(stack), cast.missing()
    tally = f"{len(unknown)} mails of unknown outcome, {len(missing)} of them not sent"
    print(  # noqa: T201 # for -rP
        f"seed {SEED}: {len(cast.posts)} posts, {cast.due()} mails due, {dict(reaper.kills)},"
        f" {cast.unavailable()} answers of 503, {tally}"
    )
