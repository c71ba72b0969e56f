from rest_framework.routers import SimpleRouter

from innotter.moderation.views import (
    ModeratedPostViewSet,
    PageBlockViewSet,
    UserModerationViewSet,
)

router = SimpleRouter(trailing_slash=False)
router.register("pages", PageBlockViewSet, basename="page-block")
router.register("users", UserModerationViewSet, basename="user-moderation")
router.register("posts", ModeratedPostViewSet, basename="post")
urlpatterns = router.urls
