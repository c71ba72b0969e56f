from rest_framework.routers import SimpleRouter

from innotter.posts.views import PagePostsViewSet, PostViewSet

router = SimpleRouter(trailing_slash=False)
router.register("pages/(?P<uuid>[^/]+)/posts", PagePostsViewSet, basename="page-post")
router.register("posts", PostViewSet, basename="post")
urlpatterns = router.urls
