from typing import ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from innotter.accounts.permissions import signed_in
from innotter.common.permissions import SignedIn
from innotter.common.views import RoomViewSet
from innotter.feed.selectors import feed_of
from innotter.posts.serializers import PostSerializer


class FeedViewSet(RoomViewSet):
    access: ClassVar = {"list": SignedIn}
    serializer_class = PostSerializer

    def list(self, request: Request) -> Response:
        """The posts of the pages that you follow and of your own, newest first."""
        return self.listed(lambda window: feed_of(signed_in(request), window))
