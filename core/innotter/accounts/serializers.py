from typing import Any, ClassVar, Literal

from django.core.validators import EmailValidator
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from innotter.accounts.models import LONGEST_PASSKEY_NAME, LONGEST_TITLE, Passkey, Session, User
from innotter.accounts.selectors import SecondFactor, is_mail_suppressed, second_factor_of
from innotter.common.devices import device_name
from innotter.common.emails import MAX_EMAIL_LENGTH, canonical_email
from innotter.common.serializers import ModelSerializer, NfcField, TextField
from innotter.media.serializers import ImageURLField


class UserSerializer(serializers.ModelSerializer[User]):
    image = ImageURLField()

    class Meta:
        model = User
        fields: ClassVar[tuple[str, ...]] = (
            "id",
            "username",
            "title",
            "image",
            "role",
            "is_blocked",
            "created_at",
        )
        read_only_fields: ClassVar[tuple[str, ...]] = fields


class OwnerSerializer(UserSerializer):
    """A user as a page shows its owner."""

    class Meta(UserSerializer.Meta):
        fields: ClassVar[tuple[str, ...]] = ("username", "title", "image")
        read_only_fields: ClassVar[tuple[str, ...]] = fields


class SecondFactorSerializer(serializers.Serializer[SecondFactor]):
    totp = serializers.BooleanField()
    passkeys = serializers.IntegerField(help_text="How many.")
    recovery_codes_left = serializers.IntegerField()


class MeSerializer(UserSerializer):
    """A user as they see themselves. `email` is the confirmed address, null until one is."""

    email_confirmed = serializers.SerializerMethodField()
    pending_email = serializers.SerializerMethodField(
        help_text="An address that waits to be confirmed by the link in a mail."
    )
    mail_suppressed = serializers.SerializerMethodField(
        help_text="Mail to you came back or was complained of. Confirm your address anew."
    )
    second_factor = serializers.SerializerMethodField()

    class Meta(UserSerializer.Meta):
        fields: ClassVar[tuple[str, ...]] = (
            *UserSerializer.Meta.fields,
            "email",
            "email_confirmed",
            "pending_email",
            "email_notifications",
            "language",
            "time_zone",
            "digest_hour",
            "login_notifications",
            "mail_suppressed",
            "deletes_at",
            "second_factor",
        )
        read_only_fields: ClassVar[tuple[str, ...]] = fields

    def get_mail_suppressed(self, user: User) -> bool:
        return is_mail_suppressed(user)

    def get_email_confirmed(self, user: User) -> bool:
        return user.email is not None

    def get_pending_email(self, user: User) -> str | None:
        return user.pending_email or None

    @extend_schema_field(SecondFactorSerializer)
    def get_second_factor(self, user: User) -> Any:
        return SecondFactorSerializer(second_factor_of(user)).data


class CanonicalEmailField(TextField, serializers.EmailField):
    """In its canonical form. Django's own check knows other addresses than mail does."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.validators = [v for v in self.validators if not isinstance(v, EmailValidator)]

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        try:
            return canonical_email(text)
        except ValueError as error:
            raise ValidationError(str(error), "invalid") from None


class RegistrationSerializer(ModelSerializer[User]):
    email = CanonicalEmailField(max_length=MAX_EMAIL_LENGTH)
    password = TextField(write_only=True, max_length=128, trim_whitespace=False)
    title = NfcField(required=False, max_length=LONGEST_TITLE)
    invite = TextField(required=False, max_length=32, help_text="The code of an invitation.")

    class Meta:
        model = User
        fields: ClassVar[tuple[str, ...]] = (
            "username",
            "email",
            "password",
            "title",
            "language",
            "time_zone",
            "invite",
        )


class EditedUserSerializer(ModelSerializer[User]):
    email = CanonicalEmailField(max_length=MAX_EMAIL_LENGTH)
    password = TextField(write_only=True, max_length=128, trim_whitespace=False)
    current_password = TextField(write_only=True, max_length=128, trim_whitespace=False)

    class Meta:
        model = User
        fields: ClassVar[tuple[str, ...]] = (
            "username",
            "title",
            "email",
            "email_notifications",
            "language",
            "time_zone",
            "digest_hour",
            "login_notifications",
            "password",
            "current_password",
        )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.keys() & {"email", "password"} and "current_password" not in attrs:
            needed = "A new e-mail address or password needs it."
            raise ValidationError({"current_password": needed}, "required")
        return attrs


class CurrentPasswordSerializer(serializers.Serializer[Any]):
    current_password = TextField(max_length=128, trim_whitespace=False)


class ReasonSerializer(serializers.Serializer[Any]):
    reason = TextField(
        required=False, default="", allow_blank=True, max_length=500, help_text="For the log."
    )


class LeavingSerializer(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields: ClassVar[tuple[str, ...]] = ("deletes_at",)
        read_only_fields: ClassVar[tuple[str, ...]] = fields


class SessionSerializer(serializers.ModelSerializer[Session]):
    """A session of one's own: of an app, or of a browser on the site and the admin panel."""

    device = serializers.SerializerMethodField(help_text="Browser and system, in words.")
    network = serializers.CharField(
        help_text="From where it was used last: the /24 network of IPv4, the /48 of IPv6."
    )
    kind = serializers.SerializerMethodField()
    is_current = serializers.BooleanField(
        read_only=True,
        help_text="The one that this very access token comes from.",
    )

    class Meta:
        model = Session
        fields: ClassVar[tuple[str, ...]] = (
            "id",
            "created_at",
            "last_used_at",
            "kind",
            "device",
            "network",
            "user_agent",
            "is_current",
        )
        read_only_fields: ClassVar[tuple[str, ...]] = fields

    def get_device(self, session: Session) -> str:
        return device_name(session.user_agent)

    def get_kind(self, session: Session) -> Literal["app", "site"]:
        return "site" if session.cookie_digest else "app"


class LoginSerializer(serializers.Serializer[Any]):
    login = TextField(max_length=254)
    password = TextField(max_length=128, trim_whitespace=False)


class RefreshSerializer(serializers.Serializer[Any]):
    refresh = TextField(max_length=100)


class LinkSerializer(serializers.Serializer[Any]):
    """The token of a link in a mail."""

    token = TextField(max_length=100)


class ResetRequestSerializer(serializers.Serializer[Any]):
    email = CanonicalEmailField(max_length=MAX_EMAIL_LENGTH)


class ResetSerializer(LinkSerializer):
    password = TextField(write_only=True, max_length=128, trim_whitespace=False)


class TokenPairSerializer(serializers.Serializer[Any]):
    access = serializers.CharField()
    refresh = serializers.CharField()
    token_type = serializers.CharField()
    expires_in = serializers.IntegerField(help_text="Seconds.")


class SecondFactorChallengeSerializer(serializers.Serializer[Any]):
    challenge = serializers.CharField()
    methods = serializers.ListField(
        child=serializers.ChoiceField(choices=["totp", "passkey", "recovery_code"]),
        help_text="By which the login can go on.",
    )


class SecondFactorNeededSerializer(serializers.Serializer[Any]):
    second_factor = SecondFactorChallengeSerializer()


class TotpSetupSerializer(serializers.Serializer[Any]):
    secret = serializers.CharField(help_text="In base32.")
    otpauth_uri = serializers.CharField(source="uri", help_text="The same, as in a QR code.")


class CodeSerializer(serializers.Serializer[Any]):
    code = TextField(max_length=100)


class RecoveryCodesSerializer(serializers.Serializer[Any]):
    recovery_codes = serializers.ListField(child=serializers.CharField())


class PasskeySerializer(serializers.ModelSerializer[Passkey]):
    class Meta:
        model = Passkey
        fields: ClassVar[tuple[str, ...]] = ("id", "name", "created_at", "last_used_at")
        read_only_fields: ClassVar[tuple[str, ...]] = fields


class AddedPasskeySerializer(PasskeySerializer):
    recovery_codes = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta(PasskeySerializer.Meta):
        fields: ClassVar[tuple[str, ...]] = (*PasskeySerializer.Meta.fields, "recovery_codes")
        read_only_fields: ClassVar[tuple[str, ...]] = fields


class CredentialSerializer(serializers.Serializer[Any]):
    """What WebAuthn's JSON of a credential must have; what else it has is ignored."""

    id = TextField(max_length=2000)
    rawId = TextField(max_length=2000)  # noqa: N815 (a word of WebAuthn)
    type = serializers.ChoiceField(choices=["public-key"])


class CreatedSerializer(serializers.Serializer[Any]):
    clientDataJSON = TextField(max_length=10_000)  # noqa: N815
    attestationObject = TextField(max_length=100_000)  # noqa: N815


class CreatedCredentialSerializer(CredentialSerializer):
    """RegistrationResponseJSON."""

    response = CreatedSerializer()
    name = NfcField(required=False, max_length=LONGEST_PASSKEY_NAME)


class SignedSerializer(serializers.Serializer[Any]):
    clientDataJSON = TextField(max_length=10_000)  # noqa: N815
    authenticatorData = TextField(max_length=10_000)  # noqa: N815
    signature = TextField(max_length=10_000)
    userHandle = TextField(  # noqa: N815
        required=False, allow_null=True, allow_blank=True, max_length=200
    )


class SignedCredentialSerializer(CredentialSerializer):
    """AuthenticationResponseJSON."""

    response = SignedSerializer()


class SecondStepSerializer(serializers.Serializer[Any]):
    challenge = TextField(max_length=100)
    code = TextField(
        required=False, max_length=100, help_text="Of the app, or a recovery code: once."
    )
    passkey = SignedCredentialSerializer(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs.keys() & {"code", "passkey"}) != 1:
            raise ValidationError({"code": "Either this or a passkey is needed."}, "required")
        return attrs


class CreationOptionsSerializer(serializers.Serializer[Any]):
    """PublicKeyCredentialCreationOptionsJSON."""

    challenge = serializers.CharField()
    rp = serializers.DictField()
    user = serializers.DictField()
    pubKeyCredParams = serializers.ListField(child=serializers.DictField())  # noqa: N815
    timeout = serializers.IntegerField(help_text="Milliseconds.")
    excludeCredentials = serializers.ListField(child=serializers.DictField())  # noqa: N815
    authenticatorSelection = serializers.DictField()  # noqa: N815
    attestation = serializers.CharField()


class RequestOptionsSerializer(serializers.Serializer[Any]):
    """PublicKeyCredentialRequestOptionsJSON."""

    challenge = serializers.CharField()
    rpId = serializers.CharField()  # noqa: N815
    timeout = serializers.IntegerField(help_text="Milliseconds.")
    allowCredentials = serializers.ListField(child=serializers.DictField())  # noqa: N815
    userVerification = serializers.CharField()  # noqa: N815
