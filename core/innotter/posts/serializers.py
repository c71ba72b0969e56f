from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field, inline_serializer
from rest_framework import serializers

from innotter.common.database import MOST_COUNTED
from innotter.common.rendering import shows
from innotter.common.serializers import IdField, ModelSerializer, NfcField
from innotter.pages.serializers import PageRefSerializer
from innotter.posts.models import MAX_LENGTH, Post


class ParentSerializer(serializers.ModelSerializer[Post]):
    """The post that another one answers. Only `id`, null, where it is gone or not to be seen."""

    id = serializers.UUIDField(allow_null=True)
    page = inline_serializer(
        "ParentPage",
        {"uuid": serializers.CharField(), "name": serializers.CharField()},
        required=False,
    )

    class Meta:
        model = Post
        fields: ClassVar[tuple[str, ...]] = ("id", "page")


class PostViewerSerializer(serializers.Serializer[Post]):
    liked = serializers.BooleanField(source="viewer_liked")


class PostSerializer(serializers.ModelSerializer[Post]):
    page = PageRefSerializer(read_only=True)
    reply_to = serializers.SerializerMethodField()
    replies_count = serializers.IntegerField(
        source="visible_replies",
        help_text=f"The replies that you may see, among the first {MOST_COUNTED}.",
    )
    viewer = PostViewerSerializer(source="*", read_only=True)

    class Meta:
        model = Post
        fields: ClassVar[tuple[str, ...]] = (
            "id",
            "page",
            "content",
            "reply_to",
            "likes_count",
            "replies_count",
            "viewer",
            "created_at",
            "updated_at",
        )
        read_only_fields: ClassVar[tuple[str, ...]] = fields

    @extend_schema_field(ParentSerializer(allow_null=True))
    def get_reply_to(self, post: Any) -> Any:
        """`post` as selectors.with_context gives it."""
        if post.reply_to_id is None:
            return None
        if post.reply_to is None or not post.parent_visible:
            return {"id": None}
        return shows(ParentSerializer)(post.reply_to)


class NewPostSerializer(ModelSerializer[Post]):
    content = NfcField(trim_whitespace=False, max_length=MAX_LENGTH)
    reply_to = IdField(required=False, allow_null=True)

    class Meta:
        model = Post
        fields: ClassVar[tuple[str, ...]] = ("content", "reply_to")


class EditedPostSerializer(NewPostSerializer):
    class Meta:
        model = Post
        fields: ClassVar[tuple[str, ...]] = ("content",)


class LikeSerializer(serializers.Serializer[Any]):
    likes_count = serializers.IntegerField()
    liked = serializers.BooleanField(source="viewer_liked")
