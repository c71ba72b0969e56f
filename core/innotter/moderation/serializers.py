from typing import Any, ClassVar

from rest_framework import serializers

from innotter.accounts.models import User
from innotter.common.serializers import ModelSerializer
from innotter.moderation.models import ModerationAction


class ReasonSerializer(ModelSerializer[ModerationAction]):
    """Why, for the log."""

    class Meta:
        model = ModerationAction
        fields: ClassVar[tuple[str, ...]] = ("reason",)


class PageBlockSerializer(ReasonSerializer):
    until = serializers.DateTimeField(allow_null=True, help_text="In the future; null: for good.")

    class Meta(ReasonSerializer.Meta):
        fields: ClassVar[tuple[str, ...]] = ("until", "reason")


class RoleSerializer(serializers.Serializer[Any]):
    role = serializers.ChoiceField(choices=User.Role.choices)
