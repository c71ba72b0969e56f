"""What people write into the site's forms: the shape of the input; its rules are the services'."""

import json
import secrets
from collections.abc import Sequence
from typing import Any

from django import forms
from django.http import HttpRequest, QueryDict
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from innotter.accounts.models import LONGEST_PASSKEY_NAME, Invitation, User
from innotter.common import time_zones
from innotter.pages.models import MAX_TAGS, Page
from innotter.posts.models import MAX_LENGTH

CONTINENTS = {
    "Africa",
    "America",
    "Antarctica",
    "Arctic",
    "Asia",
    "Atlantic",
    "Australia",
    "Europe",
    "Indian",
    "Pacific",
}


class Lines(forms.CharField):
    """Text of several lines. Browsers send each line's end as two characters, and count one."""

    def to_python(self, value: Any) -> Any:
        return (super().to_python(value) or "").replace("\r\n", "\n")


def new_key() -> str:
    """By which a form that is sent twice is known."""
    return secrets.token_urlsafe(12)


class PostForm(forms.Form):
    """A post or a reply as it was sent by web/composer.html."""

    content = Lines(label=_("What is new?"), strip=False)
    page = forms.ChoiceField(label=_("Post as"))
    key = forms.CharField(widget=forms.HiddenInput, required=False, max_length=64)

    def __init__(self, data: QueryDict, *, pages: Sequence[Page]) -> None:
        super().__init__(data)
        choices = [(page.uuid, page.name) for page in pages]
        self.fields["page"].choices = choices  # type: ignore[attr-defined] # a ChoiceField

    def renew_key(self) -> None:
        """For the next time that the form is sent."""
        self.data = {**self.data.dict(), "key": new_key()}  # type: ignore[attr-defined] # a QueryDict


class EditPostForm(forms.Form):
    content = Lines(
        label=_("Text"),
        strip=False,
        widget=forms.Textarea(attrs={"rows": 4, "dir": "auto", "data-limit": MAX_LENGTH}),
    )


class PageForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=100)
    uuid = forms.CharField(
        label=_("Address"),
        required=False,
        max_length=30,
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
        help_text=_("Letters a to z, digits, _ and -. Leave empty to get one made for you."),
    )
    description = Lines(
        label=_("Description"),
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3, "dir": "auto"}),
    )
    tags = forms.CharField(
        label=_("Tags"),
        required=False,
        max_length=400,
        help_text=format_lazy(_("At most {n}, separated by commas."), n=MAX_TAGS),
    )
    is_private = forms.BooleanField(
        label=_("Private"),
        required=False,
        help_text=_("Only followers whom you accept see the posts."),
    )
    image = forms.FileField(
        label=_("Picture"),
        required=False,
        widget=forms.FileInput(attrs={"accept": "image/png,image/jpeg,image/webp,image/gif"}),
        help_text=_("PNG, JPEG, WebP or GIF, at most 5 MB."),
    )

    def clean_tags(self) -> list[str]:
        return [tag.strip() for tag in self.cleaned_data["tags"].split(",") if tag.strip()]

    def changes(self) -> dict[str, Any]:
        """What a service takes: everything but the picture."""
        values = {name: self.cleaned_data[name] for name in self.fields if name != "image"}
        return values if values["uuid"] else {k: v for k, v in values.items() if k != "uuid"}


class UsernameField(forms.CharField):
    def __init__(self, **kwargs: Any) -> None:
        attrs = {"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}
        kwargs = {
            "help_text": _("Letters a to z, digits, and after the first also _ . and -."),
            **kwargs,
        }
        widget = forms.TextInput(attrs=attrs)
        super().__init__(label=_("Username"), max_length=30, widget=widget, **kwargs)


class UsernameForm(forms.Form):
    username = UsernameField(
        help_text=_("Links to the old name lead on for 90 days, and nobody else gets it meanwhile.")
    )


class RegistrationForm(forms.Form):
    username = UsernameField()
    invite = forms.CharField(required=False, max_length=32, widget=forms.HiddenInput)
    # A script of ours says what the browser knows.
    time_zone = forms.CharField(
        required=False, widget=forms.HiddenInput(attrs={"data-time-zone": ""})
    )
    email = forms.CharField(
        label=_("E-mail"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=128,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("At least 8 characters, and not one that everybody uses."),
    )

    def clean_time_zone(self) -> str:
        """Nobody is kept out because their browser knows a place that we don't."""
        given: str = self.cleaned_data["time_zone"]
        return given if given in time_zones.names() else "UTC"


class InvitationForm(forms.Form):
    uses = forms.IntegerField(
        label=_("How many may register by it"),
        min_value=1,
        max_value=Invitation.MOST_USES,
        initial=1,
    )
    days = forms.IntegerField(
        label=_("Days that it is good for"), min_value=1, max_value=365, initial=7
    )


class LoginForm(forms.Form):
    login = forms.CharField(
        label=_("Username or e-mail"),
        max_length=254,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none"}),
    )
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=128,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class ResetRequestForm(forms.Form):
    email = forms.EmailField(
        label=_("E-mail"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )


class NewPasswordForm(forms.Form):
    password = forms.CharField(
        label=_("New password"),
        strip=False,
        max_length=128,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("At least 8 characters, and not one that everybody uses."),
    )


class CodeForm(forms.Form):
    """A code of the second factor: of an app, or a recovery code."""

    code = forms.CharField(
        label=_("Code"),
        max_length=100,
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "spellcheck": "false"}
        ),
        help_text=_("The six digits that your authenticator app shows."),
    )

    def ask_for_recovery_code(self) -> None:
        field = self.fields["code"]
        field.label = _("Recovery code")
        field.help_text = _("One of the ten that you kept. It is good once.")
        field.widget.attrs.update(autocomplete="off", inputmode="text", autocapitalize="none")


class ConfirmForm(forms.Form):
    """The password, or a factor: `credential` is what a passkey gave the script."""

    password = forms.CharField(
        label=_("Password"),
        strip=False,
        required=False,
        max_length=128,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    code = forms.CharField(
        label=_("Code"),
        required=False,
        max_length=100,
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "spellcheck": "false"}
        ),
        help_text=_("Of your authenticator app, in place of the password."),
    )
    credential = forms.CharField(widget=forms.HiddenInput, required=False)

    def ask_for_password_alone(self) -> None:
        del self.fields["code"]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if not any(given.values()) and not self.errors:
            self.add_error("password", self.fields["password"].error_messages["required"])
        return given


class PasskeyForm(forms.Form):
    """A new passkey; `credential` is what the browser gave the script."""

    name = forms.CharField(
        label=_("Name of the passkey"),
        max_length=LONGEST_PASSKEY_NAME,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=_("To know it again: this device, or the key on your ring."),
    )
    credential = forms.CharField(widget=forms.HiddenInput, required=False)


def credential_of(request: HttpRequest) -> dict[str, Any]:
    """The JSON in the field `credential`; what is none is empty, and no passkey's."""
    try:
        found = json.loads(request.POST.get("credential", ""))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


class ProfileForm(forms.Form):
    title = forms.CharField(
        label=_("Display name"),
        max_length=100,
        widget=forms.TextInput(attrs={"autocomplete": "name", "dir": "auto"}),
    )
    email_notifications = forms.ChoiceField(
        label=_("Mail about new posts"),
        choices=[
            (User.EmailNotifications.INSTANT, _("At once")),
            (User.EmailNotifications.HOURLY, _("Grouped by the hour")),
            (User.EmailNotifications.DAILY, _("Grouped by the day")),
            (User.EmailNotifications.OFF, _("Never")),
        ],
    )
    language = forms.ChoiceField(
        label=_("Language"), choices=[("en", "English"), ("ru", "Русский")]
    )


def _zones() -> list[tuple[str, str]]:
    """Those that are called by a place, and UTC."""
    places = (name for name in time_zones.names() if name.split("/")[0] in CONTINENTS)
    return [("UTC", "UTC"), *((name, name.replace("_", " ")) for name in sorted(places))]


class ClockForm(forms.Form):
    time_zone = forms.ChoiceField(label=_("Time zone"), choices=_zones)
    digest_hour = forms.TypedChoiceField(
        label=_("Daily mail comes at"),
        coerce=int,
        choices=[(hour, f"{hour:02}:00") for hour in range(24)],
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # One that a program has chosen by another name stays.
        chosen = (self.initial or {}).get("time_zone", "UTC")
        zones: Any = self.fields["time_zone"]
        if chosen not in dict(zones.choices):
            zones.choices = [(chosen, chosen), *zones.choices]


class LoginsForm(forms.Form):
    login_notifications = forms.BooleanField(
        label=_("Tell me by mail of a login from a new device or place"), required=False
    )


class PictureForm(forms.Form):
    image = forms.FileField(
        label=_("Picture"),
        widget=forms.FileInput(attrs={"accept": "image/png,image/jpeg,image/webp,image/gif"}),
        help_text=_("PNG, JPEG, WebP or GIF, at most 5 MB."),
    )


class EmailForm(forms.Form):
    email = forms.CharField(
        label=_("E-mail"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )
    current_password = forms.CharField(
        label=_("Current password"),
        strip=False,
        max_length=128,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class CurrentPasswordForm(forms.Form):
    """What takes an account's data along, or ends it."""

    current_password = forms.CharField(
        label=_("Current password"),
        strip=False,
        max_length=128,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class PasswordForm(NewPasswordForm, CurrentPasswordForm):
    """The current password stands first: Django takes the fields of the last base first."""


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("It is shown in the moderation log."),
    )


class BlockPageForm(ReasonForm):
    until = forms.DateTimeField(
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
        help_text=_("Admins may leave it empty: the block is for good then."),
    )
    field_order = ("until", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        clocks = timezone.get_current_timezone_name()
        self.fields["until"].label = _("Until (%(zone)s)") % {"zone": clocks}


class RoleForm(ReasonForm):
    role = forms.ChoiceField(
        label=_("Role"),
        choices=[
            (User.Role.USER, _("User")),
            (User.Role.MODERATOR, _("Moderator")),
            (User.Role.ADMIN, _("Admin")),
        ],
    )
    field_order = ("role", "reason")
