from rest_framework.routers import SimpleRouter

from innotter.posts.views import OwnLikesViewSet, PagePostsViewSet, WholePageViewSet

router = SimpleRouter(trailing_slash=False)
router.register("pages", WholePageViewSet, basename="page")
router.register(r"pages/(?P<uuid>[A-Za-z0-9_-]+)/posts", PagePostsViewSet, basename="page-post")
router.register("users/me/likes", OwnLikesViewSet, basename="own-like")
# A post by its id is routed by moderation/urls.py: what moderators delete is in the log.
urlpatterns = router.urls
