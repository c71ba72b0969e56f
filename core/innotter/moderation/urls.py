from rest_framework.routers import SimpleRouter

from innotter.moderation.views import (
    InvitationViewSet,
    PageBlockViewSet,
    RegistrationViewSet,
    UserModerationViewSet,
)

router = SimpleRouter(trailing_slash=False)
router.register("pages", PageBlockViewSet, basename="page-block")
router.register("users", UserModerationViewSet, basename="user-moderation")
router.register("invites", InvitationViewSet, basename="invitation")
router.register("registrations", RegistrationViewSet, basename="registration")
urlpatterns = router.urls
