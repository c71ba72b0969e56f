from typing import Any, ClassVar

from rest_framework import serializers

from innotter.pages.models import Page


class MailedPageSerializer(serializers.ModelSerializer[Page]):
    class Meta:
        model = Page
        fields: ClassVar[tuple[str, ...]] = ("uuid", "name")
        read_only_fields: ClassVar[tuple[str, ...]] = fields


class SubscriptionSerializer(serializers.Serializer[Any]):
    page = MailedPageSerializer(
        allow_null=True, help_text="null: the page is gone, or it is about all pages."
    )
    everything = serializers.BooleanField(help_text="Whether it is about all pages.")
    active = serializers.BooleanField(help_text="Whether these mails are sent.")


class ResumeSerializer(serializers.Serializer[Any]):
    resume = serializers.BooleanField(
        default=False, help_text="Take it back: mails about the page are sent again."
    )
