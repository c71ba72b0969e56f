from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar

from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import get_language_from_request
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from innotter.common.errors import Forbidden, Unavailable
from innotter.common.parsers import AnyJSONParser
from innotter.common.schema import refuses
from innotter.common.views import BaseViewSet, JsonAlways
from innotter.mail.feedback import receive_message
from innotter.mail.selectors import Subscription, subscription_of
from innotter.mail.serializers import ResumeSerializer, SubscriptionSerializer
from innotter.mail.subscriptions import resume_mails, stop_all_mails, stop_mails

ANSWERS = {
    (200, "text/html"): OpenApiTypes.STR,
    (200, "application/json"): SubscriptionSerializer,
}
# The URL is a secret: it goes to no other site, into no cache and into no index.
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}


class SubscriptionPage(BaseRenderer):
    """A page for people, in the reader's language; a problem stays a problem document."""

    media_type = "text/html"
    format = "html"
    charset = "utf-8"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        assert renderer_context is not None
        subscription = getattr(renderer_context["view"], "subscription", None)
        if renderer_context["response"].exception or subscription is None:
            return bytes(JSONRenderer().render(data))
        reader, request = subscription.reader, renderer_context["request"]
        language = reader.language if reader else get_language_from_request(request)
        with translation.override(language):
            return render_to_string(
                "mail/unsubscribe.html", {"subscription": subscription}
            ).encode()


class PageFirst(JsonAlways):
    """The page, or JSON if the Accept header prefers it."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        try:
            negotiation: Any = DefaultContentNegotiation()  # untyped there
            chosen: tuple[BaseRenderer, str] = negotiation.select_renderer(request, renderers)
            return chosen
        except NotAcceptable:
            return renderers[0], renderers[0].media_type


class UnsubscribeViewSet(BaseViewSet):
    """The link is the permission: no login, no cookie, no CSRF token (RFC 8058)."""

    access: ClassVar = {"retrieve": AllowAny, "unsubscribe": AllowAny}
    content_negotiation_class = PageFirst
    renderer_classes = (SubscriptionPage, JSONRenderer)
    lookup_field = "token"
    lookup_value_regex = r"[\w.-]+"
    subscription: Subscription

    @extend_schema(responses=ANSWERS)
    def retrieve(self, request: Request, token: str) -> Response:
        """Whether mails about a page are sent, and a button that stops them. Changes nothing:
        mail programs and virus scanners open links by themselves."""
        return self._shown(token)

    @extend_schema(request=None, responses=ANSWERS, parameters=[ResumeSerializer])
    def unsubscribe(self, request: Request, token: str) -> Response:
        """Stop the mails about this page, or all mails about pages, as the link says, whatever the
        body says. Follows stay. Repeating it changes nothing, nor is there anything to stop where
        the page or the reader is gone. All mails are chosen anew in the settings alone."""
        subscription = subscription_of(token)
        resume = self.query(ResumeSerializer)["resume"]
        change = resume_mails if resume else stop_mails
        if subscription.reader and subscription.everything and not resume:
            stop_all_mails(reader=subscription.reader)
        elif subscription.reader and subscription.page:
            change(reader=subscription.reader, page=subscription.page)
        return self._shown(token)

    def _shown(self, token: str) -> Response:
        self.subscription = subscription_of(token)
        return Response(SubscriptionSerializer(self.subscription).data, headers=HEADERS)


class FeedbackViewSet(BaseViewSet):
    """The endpoint for Amazon SNS notifications, authenticated by their signature."""

    access: ClassVar = {"receive": AllowAny}
    parser_classes = (AnyJSONParser,)

    @refuses(Forbidden, Unavailable)
    @extend_schema(request={"application/json": OpenApiTypes.OBJECT}, responses={204: None})
    def receive(self, request: Request) -> Response:
        """A message of Amazon SNS about bounces or complaints."""
        receive_message(body=request.data)
        return Response(status=HTTPStatus.NO_CONTENT)
