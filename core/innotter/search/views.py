from typing import ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request

from innotter.common.views import BaseViewSet
from innotter.search.selectors import found
from innotter.search.serializers import HitSerializer, QuestionSerializer


class SearchViewSet(BaseViewSet):
    access: ClassVar = {"list": AllowAny}
    serializer_class = HitSerializer

    @extend_schema(parameters=[QuestionSerializer])
    def list(self, request: Request) -> HttpResponse:
        """Pages by name, uuid or tag and users by username or title, the best first: those that
        begin with the question, then those that contain something like it."""
        question = self.query(QuestionSerializer)
        hits = found(question["q"], request.user, self.window(), question.get("type"))
        return self.listed(hits)
