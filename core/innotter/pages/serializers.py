from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from innotter.accounts.serializers import OwnerSerializer, UserSerializer
from innotter.common.database import MOST_COUNTED
from innotter.common.serializers import (
    FlagField,
    ModelSerializer,
    NfcField,
    PatternField,
    TextField,
    TextsField,
)
from innotter.media.serializers import ImageURLField
from innotter.pages.models import LONGEST_TAG, MAX_TAGS, Follow, Page, Tag

# In one call that accepts or rejects their requests.
MAX_USERNAMES = 100


class PageViewerSerializer(serializers.Serializer[Page]):
    """How the page stands to the one who looks."""

    is_owner = serializers.BooleanField(source="viewer_is_owner", read_only=True)
    follow = serializers.ChoiceField(
        choices=["none", "requested", "following"], source="viewer_follow"
    )


class PageSerializer(serializers.ModelSerializer[Page]):
    tags = serializers.ListField(child=serializers.CharField(), source="tag_names", read_only=True)
    image = ImageURLField()
    owner = OwnerSerializer(read_only=True)
    is_blocked = serializers.BooleanField(read_only=True)
    unblock_date = serializers.SerializerMethodField()
    viewer = PageViewerSerializer(source="*", read_only=True)

    class Meta:
        model = Page
        fields: ClassVar[tuple[str, ...]] = (
            "id",
            "uuid",
            "name",
            "description",
            "tags",
            "image",
            "owner",
            "is_private",
            "followers_count",
            "posts_count",
            "is_blocked",
            "unblock_date",
            "viewer",
            "created_at",
            "updated_at",
        )
        read_only_fields: ClassVar[tuple[str, ...]] = fields

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_unblock_date(self, page: Page) -> Any:
        """When the block ends by itself; null where none runs or no moment is set for its end."""
        ends = page.own_block_runs and not page.blocked_for_good and not page.owner.is_hidden
        return page.unblock_date if ends else None


class PageRefSerializer(serializers.ModelSerializer[Page]):
    """A page as its posts show it."""

    image = ImageURLField()

    class Meta:
        model = Page
        fields: ClassVar[tuple[str, ...]] = ("uuid", "name", "image")
        read_only_fields: ClassVar[tuple[str, ...]] = fields


class NewPageSerializer(ModelSerializer[Page]):
    uuid = PatternField(r"^[A-Za-z0-9_-]+\Z", max_length=30, required=False)
    tags = TextsField(child=NfcField(max_length=LONGEST_TAG), required=False, max_length=MAX_TAGS)

    class Meta:
        model = Page
        fields: ClassVar[tuple[str, ...]] = ("uuid", "name", "description", "tags", "is_private")


class FollowSerializer(serializers.Serializer[Any]):
    follow = serializers.ChoiceField(choices=["requested", "following"])


class PageFilterSerializer(serializers.Serializer[Any]):
    tag = serializers.CharField(required=False, help_text="Pages with this tag.")
    owner = serializers.CharField(required=False, help_text="Pages of the user of this name.")


class TagFilterSerializer(serializers.Serializer[Any]):
    q = serializers.CharField(required=False, help_text="What the tags begin with.")


class TagSerializer(serializers.ModelSerializer[Tag]):
    pages_count = serializers.IntegerField(
        read_only=True, help_text=f"Pages that you may find, among the first {MOST_COUNTED}."
    )

    class Meta:
        model = Tag
        fields: ClassVar[tuple[str, ...]] = ("name", "pages_count")
        read_only_fields: ClassVar[tuple[str, ...]] = fields


class FollowRequestSerializer(serializers.ModelSerializer[Follow]):
    user = UserSerializer(read_only=True)

    class Meta:
        model = Follow
        fields: ClassVar[tuple[str, ...]] = ("user", "created_at")
        read_only_fields: ClassVar[tuple[str, ...]] = fields


class AnswerRequestsSerializer(serializers.Serializer[Any]):
    """Whose requests are answered: exactly one of the two."""

    usernames = TextsField(child=TextField(), required=False, max_length=MAX_USERNAMES)
    all = FlagField(required=False, help_text="true, or left out.")

    def validate_all(self, value: bool) -> bool:
        if not value:
            raise serializers.ValidationError("Either true or left out.")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise serializers.ValidationError("Exactly one of usernames and all is expected.")
        return attrs


class CountSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField()
