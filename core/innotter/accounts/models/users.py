import re
import unicodedata
from typing import Any, ClassVar

from django.contrib.auth.hashers import verify_password
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from innotter.common.emails import MAX_EMAIL_LENGTH, canonical_email
from innotter.common.models import Record, Revised
from innotter.common.time_zones import LONGEST_ZONE, known_time_zone
from innotter.media.models import Picture

LONGEST_TITLE = 100

# `username__lower=`: the form that the unique indexes below can answer.
models.CharField.register_lookup(Lower)


def password_forms(password: str) -> list[str]:
    """As which a password is compared: in NFC, as it is hashed; and as it was typed, for hashes
    that are older than this rule."""
    return list(dict.fromkeys([unicodedata.normalize("NFC", password), password]))


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(username__lower=(username or "").lower())

    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        """Raises ValueError."""
        return canonical_email(email or "")

    def create_user(self, username: str, email: str | None, password: str, **fields: Any) -> "User":
        """With a confirmed mailbox, or none; titled by the username unless given. No name is
        reserved here, and no password weak: what people choose comes by registrations.sign_up().

        Raises ValueError for the e-mail."""
        fields["title"] = fields.get("title") or username
        confirmed = self.normalize_email(email) if email else None
        user = self.model(username=username, email=confirmed, **fields)
        user.set_password(password)
        user.save(force_insert=True)
        return user


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
    # The confirmed mailbox, as canonical_email() makes it; none until one is confirmed.
    email = models.EmailField(  # noqa: DJ001
        max_length=MAX_EMAIL_LENGTH, null=True, blank=True
    )
    # A claim on a mailbox that is not confirmed yet, if any; others may claim it too.
    pending_email = models.EmailField(
        max_length=MAX_EMAIL_LENGTH, default="", db_default="", blank=True
    )
    pending_since = models.DateTimeField(null=True)
    # Mails that were asked for before bring no link to a new password or a confirmation.
    links_void_before = models.DateTimeField(null=True)
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
    # The end of the days in which a user who is leaving can change their mind; from then on their
    # account and all that is theirs is being deleted.
    deletes_at = models.DateTimeField(null=True, default=None, editable=False)
    email_notifications = models.CharField(
        max_length=10, choices=EmailNotifications, default=EmailNotifications.INSTANT
    )
    language = models.CharField(max_length=2, choices=Language, default=Language.ENGLISH)
    # Whose clocks the user reads; the IANA name.
    time_zone = models.CharField(
        max_length=LONGEST_ZONE, default="UTC", db_default="UTC", validators=[known_time_zone]
    )
    # The hour of these clocks at which daily mail comes.
    digest_hour = models.PositiveSmallIntegerField(
        default=8, db_default=8, validators=[MaxValueValidator(23)]
    )
    # Whether a login from a new device is told by mail.
    login_notifications = models.BooleanField(default=True, db_default=True)
    # Whether there is an authenticator app or a passkey; set with them under the lock of this row,
    # so that a login and a policy need no other.
    has_second_factor = models.BooleanField(default=False, db_default=False)

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
                name="user_claims", fields=["pending_email"], condition=~Q(pending_email="")
            ),
            models.Index(
                name="user_leaving",
                fields=["deletes_at"],
                condition=Q(deletes_at__isnull=False),
            ),
            models.Index(
                name="user_with_image", fields=["image"], condition=Q(image__isnull=False)
            ),
            # The hours at which anybody gets daily mail: few, among many users.
            models.Index(
                name="user_digest",
                fields=["time_zone", "digest_hour"],
                condition=Q(email_notifications="daily"),
            ),
        ]

    def __str__(self) -> str:
        return self.username

    def set_password(self, raw_password: str | None) -> None:
        """In NFC, so that every keyboard's spelling of it is the same."""
        if raw_password is not None:
            raw_password = unicodedata.normalize("NFC", raw_password)
        super().set_password(raw_password)

    def check_password(self, raw_password: str | None) -> bool:
        """Unlike Django's it never writes: a row that is not locked may be an old one."""
        if raw_password is None:
            return False
        forms = password_forms(raw_password)
        return any(verify_password(form, self.password)[0] for form in forms)

    @property
    def is_hidden(self) -> bool:
        """For one user in hand; queries ask selectors.hidden()."""
        return self.is_blocked or self.is_leaving

    @property
    def is_leaving(self) -> bool:
        return self.deletes_at is not None

    @property
    def is_gone(self) -> bool:
        """Whether it is too late to change one's mind: the account is being deleted."""
        return self.deletes_at is not None and self.deletes_at <= timezone.now()

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
        return not self.is_hidden

    @property
    def is_staff(self) -> bool:
        return self.is_admin

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        return self.is_admin and not self.is_hidden

    def has_module_perms(self, app_label: str) -> bool:
        return self.is_admin and not self.is_hidden
