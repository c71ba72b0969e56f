from typing import Any

from rest_framework import serializers

STATES = ("none", "running", "ready", "failed")


class ExportSerializer(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=STATES)
    progress = serializers.IntegerField(help_text="Per cent.", min_value=0, max_value=100)
    url = serializers.URLField(
        allow_null=True, help_text="Of the archive, for five minutes; null until it is ready."
    )
    expires_at = serializers.DateTimeField(
        allow_null=True, help_text="When the archive is offered no longer."
    )
