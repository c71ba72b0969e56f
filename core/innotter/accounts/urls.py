from django.urls import path
from rest_framework.routers import SimpleRouter

from innotter.accounts.views import AuthViewSet, SessionViewSet, UserViewSet

router = SimpleRouter(trailing_slash=False)
router.register("auth", AuthViewSet, basename="auth")
router.register("users", UserViewSet, basename="user")
urlpatterns = [
    path("users/me/sessions", SessionViewSet.as_view({"get": "list", "delete": "end_others"})),
    path("users/me/sessions/<id>", SessionViewSet.as_view({"delete": "destroy"})),
    *router.urls,
]
