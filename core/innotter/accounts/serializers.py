from typing import Any, ClassVar

from rest_framework import serializers

from innotter.accounts.models import User
from innotter.common.serializers import ModelSerializer, TextField
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
    title = TextField(required=False, max_length=100)

    class Meta:
        model = User
        fields: ClassVar[tuple[str, ...]] = ("username", "email", "password", "title")


class EditedUserSerializer(ModelSerializer[User]):
    class Meta:
        model = User
        fields: ClassVar[tuple[str, ...]] = ("title", "email", "email_notifications", "language")


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
