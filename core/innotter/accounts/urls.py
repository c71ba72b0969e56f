from rest_framework.routers import SimpleRouter

from innotter.accounts.views import AuthViewSet, SessionViewSet, UserViewSet

router = SimpleRouter(trailing_slash=False)
router.register("auth", AuthViewSet, basename="auth")
router.register("users/me/sessions", SessionViewSet, basename="session")
router.register("users", UserViewSet, basename="user")
urlpatterns = router.urls
