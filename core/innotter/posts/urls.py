from rest_framework.routers import SimpleRouter

from innotter.posts.views import OwnLikesViewSet, PagePostsViewSet, PostViewSet

router = SimpleRouter(trailing_slash=False)
router.register("posts", PostViewSet, basename="post")
router.register(r"pages/(?P<uuid>[A-Za-z0-9_-]+)/posts", PagePostsViewSet, basename="page-post")
router.register("users/me/likes", OwnLikesViewSet, basename="own-like")
urlpatterns = router.urls
