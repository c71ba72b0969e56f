from rest_framework.routers import SimpleRouter

from innotter.feed.views import FeedViewSet

router = SimpleRouter(trailing_slash=False)
router.register("feed", FeedViewSet, basename="feed")
urlpatterns = router.urls
