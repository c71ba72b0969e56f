"""How far the replicas are behind the primary, looked at twice a second by threads of each process
that serves requests: no request waits for it.

The place in the primary's log is noted with the moment before which all up to there was committed.
A replica that has replayed up to a place has all of its moment. So no clocks are compared.
"""

import math
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from threading import Lock, Thread
from typing import NamedTuple

import structlog
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.db import Error as DatabaseFailure

from innotter.common.metrics import REPLICA_LAG

log = structlog.get_logger(__name__)

LOOK_EVERY = 0.5
# Seconds that a replica may be behind for readers of what others wrote.
MOST_BEHIND = 1
# Seconds after which what was seen of a replica says nothing: it doesn't answer.
TRUSTED = 3
# Seconds for which the replicas that were not late go on when the primary is away: nothing new is
# written there, as far as we can know. By then another primary has taken over.
MOST_AWAY = 60
# For a lag of so many minutes it is known how long it is.
PLACES_KEPT = 600

WRITTEN = "SELECT pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')"
# A server that was promoted is no replica any more.
REPLAYED = """
    SELECT CASE WHEN pg_is_in_recovery()
    THEN pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0') ELSE -1 END
"""


class Place(NamedTuple):
    """In the log of the primary. Moments are those of the clock that never goes back."""

    moment: float
    bytes: int


class Seen(NamedTuple):
    """Of a replica."""

    moment: float
    behind: float


class Watch:
    """What a process knows of its servers."""

    def __init__(self) -> None:
        self._places: deque[Place] = deque(maxlen=PLACES_KEPT)
        self._seen: dict[str, Seen] = {}
        self._lock = Lock()
        self._is_begun = False

    def fresh(self) -> list[str]:
        """The replicas that may answer those who wrote nothing themselves."""
        if not self._is_begun:
            self._begin()
        now = time.monotonic()
        if not self._places or self._places[-1].moment < now - MOST_AWAY:
            return []
        return [
            replica
            for replica, seen in self._seen.items()
            if seen.behind <= MOST_BEHIND and seen.moment > now - TRUSTED
        ]

    def distrust(self, replica: str) -> None:
        """Until somebody has looked again."""
        self._note(replica, math.inf)

    def look_at_primary(self) -> None:
        """Raises what says that it is away."""
        moment = time.monotonic()
        self._places.append(Place(moment, _place(DEFAULT_DB_ALIAS, WRITTEN)))

    def look_at(self, replica: str) -> None:
        """Raises what says that it is away; nobody asks it then."""
        try:
            replayed = _place(replica, REPLAYED)
        except DatabaseFailure:
            self.distrust(replica)
            raise
        self._note(replica, self._behind(replayed))

    def _behind(self, replayed: int) -> float:
        newest_first = list(reversed(self._places))
        if newest_first and replayed >= newest_first[0].bytes:
            return 0
        reached = (place.moment for place in newest_first if place.bytes <= replayed)
        now = time.monotonic()
        if newest_first and newest_first[0].moment < now - MOST_BEHIND:
            # A primary that is silent writes nothing, but its last words may have reached nobody.
            now = newest_first[0].moment
        return now - next(reached, -math.inf)

    def _note(self, replica: str, behind: float) -> None:
        self._seen[replica] = Seen(time.monotonic(), behind)
        REPLICA_LAG.labels(replica).set(behind)

    def _begin(self) -> None:
        """Once in a process, when its first request asks: threads don't survive a fork."""
        with self._lock:
            if self._is_begun:
                return
            self._is_begun = True
        looks = {replica: partial(self.look_at, replica) for replica in settings.DATABASE_REPLICAS}
        for alias, look in {DEFAULT_DB_ALIAS: self.look_at_primary, **looks}.items():
            Thread(target=_go_on, args=(alias, look), name=f"watch {alias}", daemon=True).start()


def _go_on(alias: str, look: Callable[[], None]) -> None:
    """Until the process ends. A server that is away has a line when it goes."""
    is_away = False
    while True:
        try:
            look()
            is_away = False
        except DatabaseFailure as error:
            if not is_away:
                log.warning("server_away", server=alias, reason=str(error).strip())
            is_away = True
            connections[alias].close()
        time.sleep(LOOK_EVERY)


def _place(alias: str, statement: str) -> int:
    with connections[alias].cursor() as cursor:
        cursor.execute(statement)
        return int(cursor.fetchone()[0])


watch = Watch()
