from typing import ClassVar

from django.http import HttpResponse
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request

from innotter.accounts.permissions import current_user
from innotter.common.views import BaseViewSet
from innotter.feed.selectors import feed_of
from innotter.posts.serializers import PostSerializer


class FeedViewSet(BaseViewSet):
    access: ClassVar = {"list": IsAuthenticated}
    serializer_class = PostSerializer

    def list(self, request: Request) -> HttpResponse:
        """The posts of the pages that you follow and of your own, newest first."""
        return self.listed(feed_of(current_user(request), self.window()))
