from rest_framework.routers import SimpleRouter

from innotter.posts.views import PagePostsViewSet, WholePageViewSet

router = SimpleRouter(trailing_slash=False)
router.register("pages", WholePageViewSet, basename="page")
router.register(r"pages/(?P<uuid>[\w-]+)/posts", PagePostsViewSet, basename="page-post")
# A post by its id is in moderation/urls.py: moderators delete there too, and leave a trace.
urlpatterns = router.urls
