import re
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from innotter.common.models import Record, Revised
from innotter.media.models import Picture

LONGEST_TITLE = 100

# `username__lower=`: the form that the unique indexes below can answer.
models.CharField.register_lookup(Lower)


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(username__lower=(username or "").lower())


class User(Revised, Record, AbstractBaseUser):
    """A person with an account."""

    class Role(models.TextChoices):
        USER = "user"
        MODERATOR = "moderator"
        ADMIN = "admin"

    MODERATORS: ClassVar = (Role.MODERATOR, Role.ADMIN)

    class EmailNotifications(models.TextChoices):
        INSTANT = "instant"
        HOURLY = "hourly"
        DAILY = "daily"
        OFF = "off"

    class Language(models.TextChoices):
        ENGLISH = "en"
        RUSSIAN = "ru"

    username = models.CharField(
        max_length=30,
        validators=[
            RegexValidator(
                r"^[A-Za-z0-9][A-Za-z0-9_.-]*\Z",
                "Letters a-z, digits, and after the first character also '_', '.' and '-'.",
            ),
            # /users/me is the caller.
            RegexValidator(
                r"^me\Z", "This name is reserved.", inverse_match=True, flags=re.IGNORECASE
            ),
        ],
    )
    email = models.EmailField(max_length=254)
    title = models.CharField(max_length=LONGEST_TITLE)
    image = models.ForeignKey(
        Picture,
        null=True,
        to_field="name",
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
    )
    role = models.CharField(max_length=10, choices=Role, default=Role.USER)
    is_blocked = models.BooleanField(default=False)
    email_notifications = models.CharField(
        max_length=10, choices=EmailNotifications, default=EmailNotifications.INSTANT
    )
    language = models.CharField(max_length=2, choices=Language, default=Language.ENGLISH)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar = ["email"]

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(Lower("username"), name="user_username_unique"),
            models.UniqueConstraint(Lower("email"), name="user_email_unique"),
        ]
        indexes: ClassVar = [
            models.Index(
                name="user_with_image", fields=["image"], condition=Q(image__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.username

    @property
    def is_admin(self) -> bool:
        return self.role == self.Role.ADMIN

    @property
    def is_moderator(self) -> bool:
        """Moderators, and admins, who may all that moderators may."""
        return self.role in self.MODERATORS

    # What Django's admin asks of a user: it is open to admins alone.

    @property
    def is_active(self) -> bool:  # type: ignore[override] # a field in AbstractBaseUser's stubs
        return not self.is_blocked

    @property
    def is_staff(self) -> bool:
        return self.is_admin

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        return self.is_admin and not self.is_blocked

    def has_module_perms(self, app_label: str) -> bool:
        return self.is_admin and not self.is_blocked


class Session(Record):
    """A user at one of their devices: begins at a login and is kept alive by refreshing.

    Whatever changes a session or its tokens holds the lock of its row.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE)
    user_agent = models.CharField(max_length=200, default="")
    last_used_at = models.DateTimeField()
    # Access tokens in hand are refused from then on. Of a block there is no such mark: it refuses
    # all tokens by itself, and what is left of their minutes comes back with its end.
    ended_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.user_id} {self.id}"


class RefreshToken(Record):
    """One link of a session's chain: each refresh spends a link and adds one, and a spent link
    that comes back ends the session."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE)
    # SHA-256 of the token, in hexadecimal: who reads the table can sign in as nobody.
    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    spent_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.session_id} {self.id}"
