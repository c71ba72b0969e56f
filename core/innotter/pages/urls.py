from rest_framework.routers import SimpleRouter

from innotter.pages.views import OwnPagesViewSet, PageViewSet

router = SimpleRouter(trailing_slash=False)
router.register("pages", PageViewSet, basename="page")
router.register("users/me/pages", OwnPagesViewSet, basename="own-page")
urlpatterns = router.urls
