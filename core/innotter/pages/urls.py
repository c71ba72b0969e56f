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
router.register(
    r"pages/(?P<uuid>[\w-]+)/follow-requests", FollowRequestViewSet, basename="follow-request"
)
router.register("pages", PageViewSet, basename="page")
router.register("users/me/pages", OwnPagesViewSet, basename="own-page")
router.register("users/me/follows", FollowedPagesViewSet, basename="followed-page")
router.register(r"users/(?P<username>[\w.-]+)/pages", UserPagesViewSet, basename="user-page")
router.register("tags", TagViewSet, basename="tag")
urlpatterns = router.urls
