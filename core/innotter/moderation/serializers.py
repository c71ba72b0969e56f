from typing import Any, ClassVar

from django.conf import settings
from rest_framework import serializers

from innotter.accounts.models import Invitation, Registration, User
from innotter.common.serializers import ModelSerializer, WholeField
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


class InvitationSerializer(serializers.ModelSerializer[Invitation]):
    url = serializers.SerializerMethodField(help_text="For the newcomers.")
    made_by = serializers.CharField(
        source="made_by.username", allow_null=True, help_text="null: their account is gone."
    )

    class Meta:
        model = Invitation
        fields: ClassVar[tuple[str, ...]] = (
            "code",
            "url",
            "made_by",
            "uses",
            "used",
            "expires_at",
            "created_at",
        )
        read_only_fields: ClassVar[tuple[str, ...]] = fields
        extra_kwargs: ClassVar = {
            "used": {"help_text": "Accounts. Who still has to confirm holds a use for a day."}
        }

    def get_url(self, invitation: Invitation) -> str:
        return f"{settings.CORE_URL}/register?invite={invitation.code}"


class NewInvitationSerializer(serializers.Serializer[Any]):
    uses = WholeField(
        min_value=1, max_value=Invitation.MOST_USES, default=1, help_text="So many may register."
    )
    expires_at = serializers.DateTimeField(help_text="In the future, within a year.")


class WaitingRegistrationSerializer(serializers.ModelSerializer[Registration]):
    class Meta:
        model = Registration
        fields: ClassVar[tuple[str, ...]] = (
            "id",
            "username",
            "title",
            "language",
            "created_at",
            "confirmed_at",
        )
        read_only_fields: ClassVar[tuple[str, ...]] = fields
