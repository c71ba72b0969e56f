from rest_framework.routers import SimpleRouter

from innotter.moderation.views import PageBlockViewSet, UserModerationViewSet

router = SimpleRouter(trailing_slash=False)
router.register("pages", PageBlockViewSet, basename="page-block")
router.register("users", UserModerationViewSet, basename="user-moderation")
urlpatterns = router.urls
