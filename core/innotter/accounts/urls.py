from django.urls import path
from rest_framework.routers import SimpleRouter

from innotter.accounts.views.second_factor import PasskeyViewSet, SecondFactorViewSet
from innotter.accounts.views.users import AuthViewSet, SessionViewSet, UserViewSet

router = SimpleRouter(trailing_slash=False)
router.register("auth", AuthViewSet, basename="auth")
router.register("users/me/second-factor", SecondFactorViewSet, basename="second-factor")
router.register("users/me/passkeys", PasskeyViewSet, basename="passkey")
router.register("users", UserViewSet, basename="user")
urlpatterns = [
    path("users/me/sessions", SessionViewSet.as_view({"get": "list", "delete": "end_others"})),
    path("users/me/sessions/<id>", SessionViewSet.as_view({"delete": "destroy"})),
    *router.urls,
]
