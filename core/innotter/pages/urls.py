from rest_framework.routers import SimpleRouter

from innotter.pages.views import (
    FollowedPagesViewSet,
    FollowRequestViewSet,
    OwnPagesViewSet,
    PageViewSet,
    TagViewSet,
    UserPagesViewSet,
)

router = SimpleRouter(trailing_slash=False)
router.register("pages", PageViewSet, basename="page")
router.register(
    r"pages/(?P<uuid>[A-Za-z0-9_-]+)/follow-requests",
    FollowRequestViewSet,
    basename="follow-request",
)
router.register("users/me/pages", OwnPagesViewSet, basename="own-page")
router.register("users/me/follows", FollowedPagesViewSet, basename="followed-page")
router.register(
    r"users/(?P<username>[A-Za-z0-9_.-]+)/pages", UserPagesViewSet, basename="user-page"
)
router.register("tags", TagViewSet, basename="tag")
urlpatterns = router.urls
