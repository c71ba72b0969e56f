from django.urls import path, re_path

from innotter.mail.views import FeedbackViewSet, UnsubscribeViewSet

urlpatterns = [
    re_path(
        r"^unsubscribe/(?P<token>[\w.-]+)$",
        UnsubscribeViewSet.as_view({"get": "retrieve", "post": "unsubscribe"}),
    ),
    path("mail/feedback", FeedbackViewSet.as_view({"post": "receive"})),
]
