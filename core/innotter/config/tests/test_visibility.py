"""Who sees what: every endpoint of the stack against a plain statement of the one rule.

A page is blocked while its own block runs or its owner is blocked. It may be found by
moderators and its owner, and by everybody while it is not blocked. What is on it is visible to
moderators and its owner, and to others while it is not blocked and is public or followed by
them. A blocked user is shown to moderators alone. Nothing that an endpoint shows may tell of what
its viewer may not see.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from hypothesis import example, given
from hypothesis import strategies as st

from innotter.accounts.models import User
from innotter.conftest import Api, property_tests
from innotter.pages.models import Follow, Page, Tag
from innotter.posts.models import Like, Post
from innotter_contracts.ids import new_id

NOW = datetime.now(UTC)
TOMORROW = NOW + timedelta(days=1)
BLOCKS: dict[str, dict[str, Any]] = {
    "none": {},
    "runs": {"unblock_date": TOMORROW},
    "ended": {"unblock_date": NOW - timedelta(days=1)},
    "for good": {"blocked_for_good": True},
}
TAGS = ["fog", "sea"]
# What no rule here speaks of.
ELSEWHERE = ("previous", "title", "image", "description", "created_at", "updated_at")

# What is drawn


@dataclass(frozen=True)
class Person:
    role: str
    is_blocked: bool


@dataclass(frozen=True)
class Place:
    """A page. Owners are numbers of people, counted round."""

    owner: int
    is_private: bool
    block: str
    tags: frozenset[str]


@dataclass(frozen=True)
class Words:
    """A post on a page, in answer to nothing, to a post before it or to one that is gone."""

    place: int
    answers: int | str | None


people = st.builds(
    Person,
    role=st.sampled_from(["user", "user", "moderator", "admin"]),
    is_blocked=st.sampled_from([False, False, False, True]),
)
places = st.builds(
    Place,
    owner=st.integers(0, 9),
    is_private=st.booleans(),
    block=st.sampled_from(["none", "none", "none", *BLOCKS]),
    tags=st.frozensets(st.sampled_from(TAGS)),
)
words = st.builds(
    Words,
    place=st.integers(0, 9),
    answers=st.one_of(st.none(), st.just("gone"), st.integers(0, 9), st.integers(0, 9)),
)
pairs = st.tuples(st.integers(0, 9), st.integers(0, 9))


@dataclass
class Model:
    """The rows, oldest first, and the rule over them in plain words."""

    users: list[User] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    tags: dict[Page, list[str]] = field(default_factory=dict)
    follows: list[Follow] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)
    likes: list[Like] = field(default_factory=list)

    def blocked(self, page: Page) -> bool:
        return self.blocked_itself(page) or page.owner.is_blocked

    def blocked_itself(self, page: Page) -> bool:
        return page.blocked_for_good or page.unblock_date == TOMORROW

    def governs(self, viewer: User | None, page: Page) -> bool:
        return viewer is not None and (viewer.role != "user" or page.owner == viewer)

    def may_find(self, viewer: User | None, page: Page) -> bool:
        return self.governs(viewer, page) or not self.blocked(page)

    def may_meet(self, viewer: User | None, user: User) -> bool:
        return not user.is_blocked or (viewer is not None and viewer.role != "user")

    def may_see(self, viewer: User | None, page: Page) -> bool:
        open_to = not page.is_private or self.follow(viewer, page) == "following"
        return self.governs(viewer, page) or (not self.blocked(page) and open_to)

    def follow(self, viewer: User | None, page: Page) -> str:
        for follow in self.follows:
            if (follow.user, follow.page) == (viewer, page):
                return "following" if follow.accepted_at else "requested"
        return "none"

    def parent(self, post: Post) -> Post | None:
        return next((other for other in self.posts if other.pk == post.reply_to_id), None)

    # How things are shown

    def page(self, viewer: User | None, page: Page) -> dict[str, Any]:
        lifts_itself = self.blocked(page) and not (page.blocked_for_good or page.owner.is_blocked)
        return {
            "id": str(page.id),
            "uuid": page.uuid,
            "name": page.name,
            "tags": self.tags[page],
            "owner": {"username": page.owner.username},
            "is_private": page.is_private,
            "followers_count": sum(f.page == page for f in self.follows if f.accepted_at),
            "posts_count": sum(post.page == page for post in self.posts),
            "is_blocked": self.blocked(page),
            "unblock_date": in_json(TOMORROW) if lifts_itself else None,
            "viewer": {"is_owner": page.owner == viewer, "follow": self.follow(viewer, page)},
        }

    def post(self, viewer: User | None, post: Post) -> dict[str, Any]:
        replies = [other for other in self.posts if other.reply_to_id == post.pk]
        likers = [like.user for like in self.likes if like.post == post]
        return {
            "id": str(post.id),
            "page": {"uuid": post.page.uuid, "name": post.page.name},
            "content": post.content,
            "reply_to": self.reply_to(viewer, post),
            "likes_count": len(likers),
            "replies_count": sum(self.may_see(viewer, reply.page) for reply in replies),
            "viewer": {"liked": viewer in likers},
        }

    def reply_to(self, viewer: User | None, post: Post) -> dict[str, Any] | None:
        if post.reply_to_id is None:
            return None
        parent = self.parent(post)
        if parent is None or not self.may_see(viewer, parent.page):
            return {"id": None}
        where = {"uuid": parent.page.uuid, "name": parent.page.name}
        return {"id": str(parent.id), "page": where}

    def user(self, user: User) -> dict[str, Any]:
        return {
            "id": str(user.id),
            "username": user.username,
            "role": user.role,
            "is_blocked": user.is_blocked,
        }


# The endpoints: each path, and what it answers to this viewer

type Endpoints = Iterator[tuple[str, Any]]


def endpoints(model: Model, viewer: User | None) -> Endpoints:
    for page in model.pages:
        yield from endpoints_of_page(model, viewer, page)
    for post in model.posts:
        yield from endpoints_of_post(model, viewer, post)
    for user in model.users:
        yield from endpoints_of_user(model, viewer, user)
    yield from lists_of_pages(model, viewer)
    yield from search(model, viewer)
    yield from own_lists(model, viewer)


def endpoints_of_page(model: Model, viewer: User | None, page: Page) -> Endpoints:
    at = f"/pages/{page.uuid}"
    posts = [model.post(viewer, post) for post in newest(model.posts) if post.page == page]
    follows = [follow for follow in model.follows if follow.page == page]
    met = [follow for follow in follows if model.may_meet(viewer, follow.user)]
    followers = [model.user(follow.user) for follow in newest(met) if follow.accepted_at]
    waiting = [
        model.user(follow.user)
        for follow in follows
        if not (follow.accepted_at or follow.user.is_blocked)
    ]
    yield at, model.page(viewer, page) if model.may_find(viewer, page) else (404, "not_found")
    refused = refusal_of_what_is_on(model, viewer, page)
    yield f"{at}/posts", refused or listed(posts)
    yield f"{at}/followers", refused or listed(followers)
    if viewer is None:
        waiting_list: Any = (401, "unauthenticated")
    elif page.owner == viewer:
        waiting_list = listed({"user": user} for user in waiting)
    else:
        hidden = not model.may_find(viewer, page)
        waiting_list = (404, "not_found") if hidden else (403, "forbidden")
    yield f"{at}/follow-requests", waiting_list


def endpoints_of_post(model: Model, viewer: User | None, post: Post) -> Endpoints:
    refused = refusal_of_what_is_on(model, viewer, post.page)
    replies = [
        model.post(viewer, other)
        for other in model.posts
        if other.reply_to_id == post.pk and model.may_see(viewer, other.page)
    ]
    yield f"/posts/{post.id}", refused or model.post(viewer, post)
    yield f"/posts/{post.id}/replies", refused or listed(replies)
    if post.reply_to_id and not model.parent(post):
        yield f"/posts/{post.reply_to_id}", (404, "not_found")


def endpoints_of_user(model: Model, viewer: User | None, user: User) -> Endpoints:
    met = model.may_meet(viewer, user)
    yield f"/users/{user.username}", model.user(user) if met else (404, "not_found")
    hits = listed([{"type": "user", "user": model.user(user)}] if met else [])
    for word in (user.username, user.title):
        yield f"/search?q={word}&type=user", hits


def lists_of_pages(model: Model, viewer: User | None) -> Endpoints:
    found = [page for page in newest(model.pages) if model.may_find(viewer, page)]

    def shown(pages: Iterable[Page]) -> dict[str, Any]:
        return listed(model.page(viewer, page) for page in pages)

    yield "/pages", shown(found)
    for owner in model.users:
        theirs = shown(page for page in found if page.owner == owner)
        yield f"/pages?owner={owner.username.upper()}", theirs
        met = model.may_meet(viewer, owner)
        yield f"/users/{owner.username}/pages", theirs if met else (404, "not_found")
    for tag in TAGS:
        yield f"/pages?tag={tag}", shown(page for page in found if tag in model.tags[page])
    counts = [(tag, sum(tag in model.tags[page] for page in found)) for tag in TAGS]
    tags = [{"name": tag, "pages_count": count} for tag, count in counts if count]
    yield "/tags", listed(tags)
    for tag in TAGS:
        yield f"/tags?q={tag[:2]}", listed(shown for shown in tags if shown["name"] == tag)


def search(model: Model, viewer: User | None) -> Endpoints:
    """Each page by what it alone is called, and all of a tag, the oldest first."""
    found = [page for page in model.pages if model.may_find(viewer, page)]

    def shown(pages: Iterable[Page]) -> dict[str, Any]:
        return listed({"type": "page", "page": model.page(viewer, page)} for page in pages)

    for page in model.pages:
        for word in (page.name, page.uuid):
            yield f"/search?q={word}", shown([page] if page in found else [])
    for tag in TAGS:
        yield f"/search?q={tag}", shown(page for page in found if tag in model.tags[page])


def own_lists(model: Model, viewer: User | None) -> Endpoints:
    if viewer is None:
        for path in ("/feed", "/users/me/likes", "/users/me/pages", "/users/me/follows"):
            yield path, (401, "unauthenticated")
        return
    following = [follow for follow in newest(model.follows) if follow.user == viewer]
    followed = [follow.page for follow in following if follow.accepted_at]
    liked = [like.post for like in newest(model.likes) if like.user == viewer]
    feed = [
        model.post(viewer, post)
        for post in newest(model.posts)
        if model.may_see(viewer, post.page) and (post.page in followed or post.page.owner == viewer)
    ]
    yield "/feed", listed(feed)
    yield (
        "/users/me/likes",
        listed(model.post(viewer, post) for post in liked if model.may_see(viewer, post.page)),
    )
    yield (
        "/users/me/pages",
        listed(model.page(viewer, page) for page in newest(model.pages) if page.owner == viewer),
    )
    yield (
        "/users/me/follows",
        listed(model.page(viewer, page) for page in followed if model.may_find(viewer, page)),
    )


def refusal_of_what_is_on(model: Model, viewer: User | None, page: Page) -> Any:
    if model.may_see(viewer, page):
        return None
    return (403, "page_private") if model.may_find(viewer, page) else (404, "not_found")


def newest[T](rows: list[T]) -> list[T]:
    return rows[::-1]


def listed(rows: Iterable[Any]) -> dict[str, Any]:
    return {"next": None, "results": list(rows)}


# What is compared


def masked(path: str, answer: Any) -> Any:
    """What an answer says of the rule: status and code of a refusal, or its JSON."""
    document = answer.json()
    if answer.status_code != 200:
        return answer.status_code, document["code"]
    return of_the_rule(document)


def of_the_rule(value: Any) -> Any:
    match value:
        case dict():
            return {key: of_the_rule(v) for key, v in value.items() if key not in ELSEWHERE}
        case list():
            return [of_the_rule(inner) for inner in value]
    return value


# By the keys of an object in an answer and one of them: the values that it had.
type Shown = defaultdict[tuple[frozenset[str], str], set[str]]
# The end of a list, and what an object of a list of several kinds is.
ALWAYS_ALIKE = {"next", "type"}


def note(said: Any, shown: Shown) -> None:
    match said:
        # Of a parent that is hidden.
        case {"id": None}:
            pass
        case dict():
            for key, value in said.items():
                shown[frozenset(said), key].add(repr(value))
                note(value, shown)
        case list():
            for each in said:
                note(each, shown)


def in_json(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


# One page of each kind, so that chance leaves no endpoint out: Bob owns all but the last, Ann
# follows them, Eve and Zoe, who is a moderator, have asked to. Each page has a post; those of the
# first and of the others answer each other.
EACH = [
    Place(1, is_private=False, block="none", tags=frozenset(TAGS)),
    Place(1, is_private=True, block="none", tags=frozenset(TAGS)),
    Place(1, is_private=False, block="runs", tags=frozenset(TAGS)),
    Place(1, is_private=True, block="for good", tags=frozenset(TAGS[:1])),
    # Of a blocked user.
    Place(4, is_private=False, block="none", tags=frozenset(TAGS)),
]
EXAMPLE: dict[str, Any] = {
    "everybody": [
        *[Person("user", is_blocked=False)] * 3,
        Person("moderator", is_blocked=False),
        Person("user", is_blocked=True),
    ],
    "somewhere": EACH,
    "following": [((who, page), who == 0) for who in (0, 2, 3) for page in range(5)],
    "said": [
        *[Words(page, None) for page in range(5)],
        *[Words(0, page) for page in range(1, 5)],
        *[Words(page, 0) for page in range(1, 5)],
        Words(0, "gone"),
    ],
    "liking": [(who, post) for who in range(4) for post in range(5)],
}


@example(**EXAMPLE)
@property_tests(2)
@given(
    everybody=st.lists(people, min_size=3, max_size=4),
    somewhere=st.lists(places, min_size=3, max_size=4),
    following=st.lists(st.tuples(pairs, st.booleans()), min_size=3, max_size=10),
    said=st.lists(words, min_size=3, max_size=6),
    liking=st.lists(pairs, max_size=8),
)
def test_every_endpoint_shows_each_viewer_what_the_rule_says(
    *,
    api: Api,
    db: None,
    everybody: list[Person],
    somewhere: list[Place],
    following: list[tuple[tuple[int, int], bool]],
    said: list[Words],
    liking: list[tuple[int, int]],
) -> None:
    with transaction.atomic():
        model = as_rows(everybody, somewhere, following, said, liking)
        shown: Shown = defaultdict(set)
        for viewer in (None, *model.users):
            for path, expected in endpoints(model, viewer):
                shut_out = viewer is not None and viewer.is_blocked
                right = (401, "user_blocked") if shut_out else expected
                said_here = masked(path, api(viewer).get(path))
                assert said_here == right, f"{viewer} at {path}"
                note(said_here, shown)
        transaction.set_rollback(True)
    if somewhere is EACH:
        alike = {key for (_, key), values in shown.items() if len(values) == 1} - ALWAYS_ALIKE
        assert not alike, "of these keys of answers EACH shows one value, which proves nothing"


# What is drawn, as rows

# No two have three letters in a row in common.
PEOPLE = {
    "ann": "Pelargonium",
    "bob": "Bluebottle",
    "eve": "Chrysalis",
    "zoe": "Dormouse",
    "max": "Eiderdown",
}
NAMES = ["Harbour", "Windmill", "Quicksand", "Jetty", "Volcano"]
UUIDS = ["xylem", "oboe-9", "guppy", "tundra", "kiwi_3"]


def as_rows(
    everybody: list[Person],
    somewhere: list[Place],
    following: list[tuple[tuple[int, int], bool]],
    said: list[Words],
    liking: list[tuple[int, int]],
) -> Model:
    model = Model()
    settle(model, everybody, somewhere)
    follow(model, following)
    speak(model, said)
    like(model, liking)
    keep_counts(model)
    return model


def settle(model: Model, everybody: list[Person], somewhere: list[Place]) -> None:
    model.users = User.objects.bulk_create(
        User(username=name, email=f"{name}@example.com", title=title, **vars(person))
        for (name, title), person in zip(PEOPLE.items(), everybody, strict=False)
    )
    model.pages = Page.objects.bulk_create(
        Page(
            owner=nth(model.users, place.owner),
            uuid=UUIDS[number],
            name=NAMES[number],
            is_private=place.is_private,
            **BLOCKS[place.block],
        )
        for number, place in enumerate(somewhere)
    )
    tags = {tag.name: tag for tag in Tag.objects.bulk_create(Tag(name=name) for name in TAGS)}
    for page, place in zip(model.pages, somewhere, strict=True):
        model.tags[page] = sorted(place.tags)
        page.tags.set(tags[name] for name in place.tags)


def follow(model: Model, following: list[tuple[tuple[int, int], bool]]) -> None:
    wanted = {
        (nth(model.users, who), nth(model.pages, where)): accepted
        for (who, where), accepted in following
    }
    model.follows = Follow.objects.bulk_create(
        # Only a private page lets one wait.
        Follow(user=user, page=page, accepted_at=NOW if accepted or not page.is_private else None)
        for (user, page), accepted in wanted.items()
        if page.owner != user
    )


def speak(model: Model, said: list[Words]) -> None:
    for number, post in enumerate(said):
        parent = None
        if isinstance(post.answers, int) and model.posts:
            parent = nth(model.posts, post.answers).pk
        elif post.answers == "gone":
            parent = new_id()
        page = nth(model.pages, post.place)
        model.posts.append(Post(page=page, content=f"{number}", reply_to_id=parent))
    Post.objects.bulk_create(model.posts)


def like(model: Model, liking: list[tuple[int, int]]) -> None:
    wanted = dict.fromkeys((nth(model.users, who), nth(model.posts, what)) for who, what in liking)
    model.likes = Like.objects.bulk_create(
        Like(user=user, post=post, page=post.page) for user, post in wanted
    )


def keep_counts(model: Model) -> None:
    """As the services would have kept them."""
    for page in model.pages:
        page.followers_count = sum(f.page == page for f in model.follows if f.accepted_at)
        page.posts_count = sum(post.page == page for post in model.posts)
    Page.objects.bulk_update(model.pages, ["followers_count", "posts_count"])
    for post in model.posts:
        post.likes_count = sum(like.post == post for like in model.likes)
        post.replies_count = sum(other.reply_to_id == post.pk for other in model.posts)
    Post.objects.bulk_update(model.posts, ["likes_count", "replies_count"])


def nth[T](rows: list[T], number: int) -> T:
    return rows[number % len(rows)]
