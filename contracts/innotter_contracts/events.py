"""The events that the core publishes, and the names of the exchanges and queues they use.

An event is a past-tense fact. Its `id` is also the idempotency key: a reader that has
seen an id has seen the event. Adding an optional field keeps the version; anything
that an older reader would misread gets a new one. Readers ignore fields they do not know.
Golden samples of every type and version lie in `samples/`.
"""

from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal, Self, get_args
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from innotter_contracts.ids import new_id

# The same names stand in deploy/rabbitmq/definitions.json; a test holds the two together.
EXCHANGE = "innotter.events"
STATS_QUEUE = "stats"
MAIL_QUEUE = "celery.mail"
HOUSEKEEPING_QUEUE = "celery.housekeeping"
# Each has another beside it for what cannot be delivered: its name and DEAD.
QUEUES = (STATS_QUEUE, MAIL_QUEUE, HOUSEKEEPING_QUEUE)
DEAD = ".dead"
DEAD_EXCHANGE = "innotter.dead"
# A task that failed for a passing reason waits here, longer each time. An exchange and a queue of
# the same name for each wait; its end is in the name, in seconds.
DELAYS = tuple(f"celery.delay.{seconds}" for seconds in (1, 4, 15, 60))


class InvalidEvent(ValueError):
    """The bytes are no event of a type that we know."""


class NewerEvent(InvalidEvent):
    """An event of a type or a version that a later release has brought, and this one doesn't
    know: it may come while that release is being deployed."""

    def __init__(self, type: str, version: int, occurred_at: datetime) -> None:
        super().__init__(f"{type} of version {version} is newer than this program")
        self.occurred_at = occurred_at


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Envelope(Model):
    """What every event carries.

    Version 2 added `request_id`, the id of the HTTP request that caused the event; version 3
    added `payload.revision` to the events that tell a row's state, its end included.
    """

    id: UUID = Field(default_factory=new_id)
    version: Literal[1, 2, 3]
    occurred_at: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    actor: UUID | None
    request_id: str | None = None
    # Of the pages that it counts for: the epoch of the page in which it happened. Left out for a
    # page that was never recounted.
    epochs: dict[UUID, int] = Field(default_factory=dict, exclude_if=lambda epochs: not epochs)


class Occurrence(Envelope):
    """Something happened. It may be counted; nothing that is told later takes its place."""

    version: Literal[1, 2] = 2


class Revised(Model):
    """A row's state. Each change of the row raises its `revision` while the row is locked."""

    # Left out before version 3.
    revision: int | None = Field(default=None, ge=0, exclude_if=lambda revision: revision is None)


class State(Envelope):
    """Tells how a row is now, in place of what was told before: the higher revision wins,
    whatever the order of delivery and the clocks of hosts."""

    version: Literal[1, 2, 3] = 3
    payload: Revised

    @model_validator(mode="after")
    def _has_revision(self) -> Self:
        if self.version >= 3 and self.payload.revision is None:
            raise ValueError("payload.revision: Field required")
        return self

    @property
    def revision(self) -> int:
        """The row's; before version 3, when it was told, in milliseconds since 1970.

        Both are of one scale: a revision is never lower than the milliseconds of its change.
        """
        if self.payload.revision is not None:
            return self.payload.revision
        return milliseconds(self.occurred_at)


def milliseconds(moment: datetime) -> int:
    """Since 1970, rounded down."""
    return int(moment.timestamp() * 1000)


class PageCreated(State):
    class Payload(Revised):
        page_id: UUID
        uuid: str
        name: str
        owner_id: UUID

    type: Literal["page.created"] = "page.created"
    payload: Payload


class PageChanged(State):
    """The page's uuid or name is another one now; both as they are since then."""

    class Payload(Revised):
        page_id: UUID
        uuid: str
        name: str

    type: Literal["page.changed"] = "page.changed"
    payload: Payload


class PageDeleted(State):
    """All that was on the page is gone with it.

    The replies among its posts are told of one by one, as post.deleted, because other pages
    have received them. Only page.recounted has a higher revision: a backup has brought the page
    back.
    """

    class Payload(Revised):
        page_id: UUID

    type: Literal["page.deleted"] = "page.deleted"
    payload: Payload


# What is counted of a page.
type Metric = Literal[
    "posts", "replies", "replies_received", "likes", "followers", "follow_requests"
]
METRICS: tuple[Metric, ...] = get_args(Metric.__value__)


class PageRecounted(State):
    """All that is known of a page and counted for it, as one moment in the core's database saw it.

    With it begins the page's epoch of that number: it holds what all events of earlier epochs
    have told, those included that are still on their way, and none of what this epoch's or
    later ones tell.
    """

    class Day(Model):
        date: date
        # What still stands, on the day that it came; what is zero is left out.
        counts: dict[Metric, int]

    class Payload(Revised):
        page_id: UUID
        epoch: int = Field(ge=1)
        uuid: str
        name: str
        owner_id: UUID
        # Until version 2: since when uuid, name and owner are surely these.
        since: AwareDatetime | None = Field(default=None, exclude_if=lambda since: since is None)
        days: list["PageRecounted.Day"]

    type: Literal["page.recounted"] = "page.recounted"
    payload: Payload

    @property
    def revision(self) -> int:
        if self.payload.revision is None and self.payload.since:
            return milliseconds(self.payload.since)
        return super().revision


class PageAndUser(Model):
    page_id: UUID
    user_id: UUID


class PageFollowed(Occurrence):
    type: Literal["page.followed"] = "page.followed"
    payload: PageAndUser


class PageUnfollowed(Occurrence):
    type: Literal["page.unfollowed"] = "page.unfollowed"
    payload: PageAndUser


class FollowRequested(Occurrence):
    type: Literal["page.follow_requested"] = "page.follow_requested"
    payload: PageAndUser


class FollowRequestWithdrawn(Occurrence):
    type: Literal["page.follow_request_withdrawn"] = "page.follow_request_withdrawn"
    payload: PageAndUser


class FollowRequestAccepted(Occurrence):
    """The request is gone and the user follows: there is no page.followed beside this."""

    type: Literal["page.follow_request_accepted"] = "page.follow_request_accepted"
    payload: PageAndUser


class FollowRequestRejected(Occurrence):
    type: Literal["page.follow_request_rejected"] = "page.follow_request_rejected"
    payload: PageAndUser


class PostRef(Model):
    post_id: UUID
    page_id: UUID


class PostCreated(Occurrence):
    class Payload(PostRef):
        reply_to: PostRef | None = None

    type: Literal["post.created"] = "post.created"
    payload: Payload


class PostDeleted(Occurrence):
    class Payload(PostRef):
        reply_to: PostRef | None = None
        # What it had when it went; they are not unliked one by one.
        likes_count: int

    type: Literal["post.deleted"] = "post.deleted"
    payload: Payload


class PostAndUser(PostRef):
    """A post, the page that it is on, and the user who did something to it."""

    user_id: UUID


class PostLiked(Occurrence):
    type: Literal["post.liked"] = "post.liked"
    payload: PostAndUser


class PostUnliked(Occurrence):
    type: Literal["post.unliked"] = "post.unliked"
    payload: PostAndUser


class UserRef(Model):
    user_id: UUID


class UserState(Revised):
    user_id: UUID


class UserBlocked(State):
    type: Literal["user.blocked"] = "user.blocked"
    payload: UserState


class UserUnblocked(State):
    type: Literal["user.unblocked"] = "user.unblocked"
    payload: UserState


class UserDeletionScheduled(State):
    """The user is leaving, by their own wish or an admin's: nothing of them is shown any more, and
    they can do nothing but come back."""

    type: Literal["user.deletion_scheduled"] = "user.deletion_scheduled"
    payload: UserState


class UserRestored(State):
    """The user stays after all."""

    type: Literal["user.restored"] = "user.restored"
    payload: UserState


class UserDeleted(State):
    """The user is gone for good. Everything of theirs was told of before, as deleted or undone.
    Only user.restated has a higher revision: a backup has brought the user back."""

    type: Literal["user.deleted"] = "user.deleted"
    payload: UserState


class UserRestated(State):
    """All that other services keep of a user, as one moment in the core's database saw it."""

    class Payload(UserState):
        is_blocked: bool
        is_leaving: bool

    type: Literal["user.restated"] = "user.restated"
    payload: Payload


class NotificationsChanged(Occurrence):
    """How often the user wants mail is another choice now."""

    type: Literal["user.notifications_changed"] = "user.notifications_changed"
    payload: UserRef


Event = Annotated[
    PageCreated
    | PageChanged
    | PageDeleted
    | PageRecounted
    | PageFollowed
    | PageUnfollowed
    | FollowRequested
    | FollowRequestWithdrawn
    | FollowRequestAccepted
    | FollowRequestRejected
    | PostCreated
    | PostDeleted
    | PostLiked
    | PostUnliked
    | UserBlocked
    | UserUnblocked
    | UserDeletionScheduled
    | UserRestored
    | UserDeleted
    | UserRestated
    | NotificationsChanged,
    Field(discriminator="type"),
]

_event: TypeAdapter[Event] = TypeAdapter(Event)
NEWEST: dict[str, int] = {
    kind.model_fields["type"].default: max(get_args(kind.model_fields["version"].annotation))
    for kind in get_args(get_args(Event)[0])
}


class _AnyEvent(Model):
    """What every event of every release has."""

    id: UUID
    type: str = Field(pattern=r"^[a-z_]+\.[a-z_]+$")
    version: int = Field(ge=1)
    occurred_at: AwareDatetime
    payload: dict[str, Any]


def _require_known(body: bytes | str) -> None:
    """Raises NewerEvent."""
    try:
        event = _AnyEvent.model_validate_json(body)
    except ValidationError:
        return
    if event.version > NEWEST.get(event.type, 0):
        raise NewerEvent(event.type, event.version, event.occurred_at)


def parse_event(body: bytes | str) -> Event:
    """The event in a message's body (UTF-8 JSON).

    Raises NewerEvent for a type or a version that is not known yet, InvalidEvent for anything else.
    """
    try:
        event = _event.validate_json(body)
    except ValidationError as error:
        _require_known(body)
        # The input stays out of the message: it may hold what a log must not.
        raise InvalidEvent(
            "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        ) from None
    # The defaults are for those who make an event. One that came without its own id would get
    # another one at each delivery, and so be counted at each.
    if missing := {"id", "version", "occurred_at"} - event.model_fields_set:
        raise InvalidEvent(f"{', '.join(sorted(missing))}: Field required")
    return event
