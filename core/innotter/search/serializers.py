from functools import cached_property
from typing import Any

from rest_framework import serializers

from innotter.accounts.serializers import UserSerializer
from innotter.common.rendering import Show, shows
from innotter.common.serializers import NfcField
from innotter.pages.models import LONGEST_NAME
from innotter.pages.serializers import PageSerializer
from innotter.search.selectors import Hit

TYPES = ["page", "user"]
# As the longest text that is searched.
LONGEST_QUESTION = LONGEST_NAME


class QuestionSerializer(serializers.Serializer[Any]):
    q = NfcField(max_length=LONGEST_QUESTION, help_text="Taken as it is: it has no wildcards.")
    type = serializers.ChoiceField(
        choices=TYPES, required=False, help_text="Both, where it is left out."
    )


class HitSerializer(serializers.Serializer[Hit]):
    type = serializers.ChoiceField(choices=TYPES)
    page = PageSerializer(required=False)
    user = UserSerializer(required=False)

    @cached_property
    def _shows(self) -> dict[str, Show]:
        return {name: shows(type(self.fields[name])) for name in TYPES}  # type: ignore[arg-type]

    def to_representation(self, instance: Hit) -> dict[str, Any]:
        return {"type": instance.type, instance.type: self._shows[instance.type](instance.row)}
