from rest_framework.routers import SimpleRouter

from innotter.exports.views import ExportViewSet

router = SimpleRouter(trailing_slash=False)
router.register("users/me", ExportViewSet, basename="export")
urlpatterns = router.urls
