from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from innotter.accounts.models import LONGEST_TITLE, Session, User
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


class MeSerializer(UserSerializer):
    """A user as they see themselves."""

    class Meta(UserSerializer.Meta):
        fields: ClassVar[tuple[str, ...]] = (
            *UserSerializer.Meta.fields,
            "email",
            "email_notifications",
            "language",
        )
        read_only_fields: ClassVar[tuple[str, ...]] = fields


class RegistrationSerializer(ModelSerializer[User]):
    password = TextField(write_only=True, max_length=128, trim_whitespace=False)
    title = NfcField(required=False, max_length=LONGEST_TITLE)

    class Meta:
        model = User
        fields: ClassVar[tuple[str, ...]] = ("username", "email", "password", "title")


class EditedUserSerializer(ModelSerializer[User]):
    password = TextField(write_only=True, max_length=128, trim_whitespace=False)
    current_password = TextField(write_only=True, max_length=128, trim_whitespace=False)

    class Meta:
        model = User
        fields: ClassVar[tuple[str, ...]] = (
            "title",
            "email",
            "email_notifications",
            "language",
            "password",
            "current_password",
        )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "password" in attrs and "current_password" not in attrs:
            raise ValidationError({"current_password": "A new password needs it."}, "required")
        return attrs


class SessionSerializer(serializers.ModelSerializer[Session]):
    """A session of one's own."""

    is_current = serializers.SerializerMethodField(
        help_text="The one that this very access token comes from."
    )

    class Meta:
        model = Session
        fields: ClassVar[tuple[str, ...]] = (
            "id",
            "created_at",
            "last_used_at",
            "user_agent",
            "is_current",
        )
        read_only_fields: ClassVar[tuple[str, ...]] = fields

    def get_is_current(self, session: Session) -> bool:
        return bool(session.id == self.context["request"].auth.sid)


class LoginSerializer(serializers.Serializer[Any]):
    login = TextField(max_length=254)
    password = TextField(max_length=128, trim_whitespace=False)


class RefreshSerializer(serializers.Serializer[Any]):
    refresh = TextField(max_length=100)


class TokenPairSerializer(serializers.Serializer[Any]):
    access = serializers.CharField()
    refresh = serializers.CharField()
    token_type = serializers.CharField()
    expires_in = serializers.IntegerField(help_text="Seconds.")
