from django.urls import re_path

from innotter.mail.views import UnsubscribeViewSet

urlpatterns = [
    re_path(
        r"^unsubscribe/(?P<token>[\w.-]+)$",
        UnsubscribeViewSet.as_view({"get": "retrieve", "post": "unsubscribe"}),
    ),
]
