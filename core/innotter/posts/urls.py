from rest_framework.routers import SimpleRouter

from innotter.posts.views import PagePostsViewSet, PostViewSet, WholePageViewSet

router = SimpleRouter(trailing_slash=False)
router.register("pages", WholePageViewSet, basename="page")
router.register(r"pages/(?P<uuid>[\w-]+)/posts", PagePostsViewSet, basename="page-post")
router.register("posts", PostViewSet, basename="post")
urlpatterns = router.urls
