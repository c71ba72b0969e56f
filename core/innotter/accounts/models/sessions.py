from typing import ClassVar

from django.db import models
from django.db.models import Q

from innotter.accounts.models.users import User
from innotter.common.models import Record


class Session(Record):
    """A user at one of their devices: begins at a login and is kept alive by use. A program's holds
    refresh tokens; a browser's, on the site, has the token of its cookie.

    Every change of a session or its tokens holds the lock of its row.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE)
    user_agent = models.CharField(max_length=200, default="")
    # From where it was used last: Client.network.
    network = models.CharField(max_length=50, default="", db_default="")
    last_used_at = models.DateTimeField()
    # SHA-256 of the cookie's token, in hexadecimal; none of a program's.
    cookie_digest = models.CharField(max_length=64, null=True, unique=True)  # noqa: DJ001
    # The role that its user had when the cookie was made: with another role comes another token.
    cookie_role = models.CharField(max_length=10, default="")
    # When the password was last given in it, where that matters: on the site.
    authenticated_at = models.DateTimeField(null=True)
    # Access tokens of it are refused from then on. Of a block there is no such mark: it refuses
    # all tokens by itself, and what is left of their minutes comes back with its end.
    ended_at = models.DateTimeField(null=True)
    # Raised by each transaction that writes in it: a replica with another number lacks something
    # of its own (decision 146). Without replicas nobody counts.
    writes = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        indexes: ClassVar = [
            models.Index(name="session_idle", fields=["last_used_at"]),
            models.Index(
                name="session_ended", fields=["ended_at"], condition=Q(ended_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.id}"


class RefreshToken(Record):
    """One link of a session's chain: each refresh spends a link and adds one. When a spent link
    that comes back ends the session, says services.refresh()."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE)
    # SHA-256 of the token, in hexadecimal: who reads the table can sign in as nobody.
    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    spent_at = models.DateTimeField(null=True)
    # The token that was spent for this one, whose row may be gone.
    predecessor_id = models.UUIDField(null=True)

    class Meta:
        indexes: ClassVar = [models.Index(name="refresh_token_expiry", fields=["expires_at"])]

    def __str__(self) -> str:
        return f"{self.session_id} {self.id}"


class KnownIP(Record):
    """An IP from which a user has logged in, last at `updated_at`; see limits.py. Its table is
    logged, unlike that of the counters: a crash of the database must not make owners strangers."""

    # keyed_id() of the user and the IP.
    id = models.UUIDField(primary_key=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE)

    class Meta:
        indexes: ClassVar = [models.Index(name="known_ip_age", fields=["updated_at"])]

    def __str__(self) -> str:
        return f"{self.id}"


class KnownDevice(Record):
    """A device at a network from which a user has logged in, last at `updated_at`."""

    # keyed_id() of the user, the device and the network.
    id = models.UUIDField(primary_key=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE)

    class Meta:
        indexes: ClassVar = [models.Index(name="known_device_age", fields=["updated_at"])]

    def __str__(self) -> str:
        return f"{self.id}"
