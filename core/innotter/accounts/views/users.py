from functools import partial
from http import HTTPStatus
from typing import ClassVar, cast

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import get_language_from_request
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework.decorators import action
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from innotter.accounts import (
    challenges,
    factors,
    leaving,
    logins,
    mailboxes,
    passwords,
    recovery,
    registrations,
    selectors,
    services,
    sessions,
)
from innotter.accounts.keys import public_jwks
from innotter.accounts.models import Session
from innotter.accounts.names import UsernameTaken
from innotter.accounts.permissions import current_user
from innotter.accounts.policies import Oneself, UserBlocked, require_admin
from innotter.accounts.serializers import (
    CurrentPasswordSerializer,
    EditedUserSerializer,
    LeavingSerializer,
    LinkSerializer,
    LoginSerializer,
    MeSerializer,
    ReasonSerializer,
    RefreshSerializer,
    RegistrationSerializer,
    RequestOptionsSerializer,
    ResetRequestSerializer,
    ResetSerializer,
    SecondFactorNeededSerializer,
    SecondStepSerializer,
    SessionSerializer,
    SignedCredentialSerializer,
    TokenPairSerializer,
    UserSerializer,
)
from innotter.common.clients import client_of
from innotter.common.errors import Forbidden
from innotter.common.reserved import TooManyNames
from innotter.common.schema import refuses
from innotter.common.views import BaseViewSet, id_or_404, public
from innotter.media.parsers import PictureParser
from innotter.media.serializers import PictureSerializer
from innotter_contracts.tokens import Claims


class AuthViewSet(BaseViewSet):
    access: ClassVar = {
        "register": AllowAny,
        "log_in": AllowAny,
        "finish_login": AllowAny,
        "passkey_options": AllowAny,
        "log_in_by_passkey": AllowAny,
        "refresh": AllowAny,
        "log_out": AllowAny,
        "request_reset": AllowAny,
        "reset_password": AllowAny,
        "confirm_email": AllowAny,
        "undo_email": AllowAny,
    }

    @refuses(
        UsernameTaken,
        mailboxes.EmailTaken,
        registrations.RegistrationClosed,
        registrations.InvitationNeeded,
    )
    @extend_schema(request=RegistrationSerializer, responses={201: UserSerializer, 202: None})
    @action(detail=False, methods=["post"])
    def register(self, request: Request) -> Response:
        """A new account; a mail asks its address for confirmation. Without a `language` it is the
        one that Accept-Language prefers. `invite` is the code of an invitation, where one is
        needed. 202 where the account is made by the confirmation, or by moderators after it; then
        the answer is the same whether the address has an account or not."""
        language = {"language": get_language_from_request(request)}
        body = language | self.body(RegistrationSerializer)
        user = registrations.sign_up(client=client_of(request), **body)
        if user is None:
            return Response(status=HTTPStatus.ACCEPTED)
        return Response(UserSerializer(user).data, HTTPStatus.CREATED)

    @refuses(passwords.WrongCredentials, UserBlocked)
    @extend_schema(
        request=LoginSerializer,
        responses=PolymorphicProxySerializer(
            component_name="LoginAnswer",
            serializers=[TokenPairSerializer, SecondFactorNeededSerializer],
            resource_type_field_name=None,
        ),
    )
    @action(detail=False, methods=["post"], url_path="login")
    def log_in(self, request: Request) -> Response:
        """A new session, by username or e-mail address; or, where the account has a second factor,
        no token yet but a challenge, for five minutes and five tries."""
        try:
            pair = logins.log_in(**self.body(LoginSerializer), client=client_of(request))
        except logins.SecondFactorNeeded as needed:
            return Response(SecondFactorNeededSerializer({"second_factor": needed}).data)
        return Response(TokenPairSerializer(pair).data)

    @refuses(challenges.InvalidChallenge, factors.WrongCode, factors.WrongPasskey, UserBlocked)
    @extend_schema(request=SecondStepSerializer, responses=TokenPairSerializer)
    @action(detail=False, methods=["post"], url_path="login/second-factor")
    def finish_login(self, request: Request) -> Response:
        """The second step of a login: a code, or a passkey that answers `/auth/passkey/options`."""
        pair = logins.finish_login(**self.body(SecondStepSerializer), client=client_of(request))
        return Response(TokenPairSerializer(pair).data)

    @extend_schema(request=None, responses=RequestOptionsSerializer)
    @action(detail=False, methods=["post"], url_path="passkey/options")
    def passkey_options(self, request: Request) -> Response:
        """What `navigator.credentials.get()` takes as `publicKey`, in WebAuthn's own JSON. It is
        good once, for five minutes."""
        return Response(logins.passkey_request(client=client_of(request)))

    @refuses(challenges.InvalidChallenge, factors.WrongPasskey, UserBlocked)
    @extend_schema(request=SignedCredentialSerializer, responses=TokenPairSerializer)
    @action(detail=False, methods=["post"], url_path="passkey")
    def log_in_by_passkey(self, request: Request) -> Response:
        """A new session by a passkey alone, as `navigator.credentials.get()` gives it, in
        WebAuthn's own JSON."""
        pair = logins.log_in_by_passkey(
            passkey=self.body(SignedCredentialSerializer), client=client_of(request)
        )
        return Response(TokenPairSerializer(pair).data)

    @refuses(sessions.WrongRefreshToken)
    @extend_schema(request=RefreshSerializer, responses=TokenPairSerializer)
    @action(detail=False, methods=["post"])
    def refresh(self, request: Request) -> Response:
        """A new pair of tokens for a refresh token, which is spent by it."""
        token = self.body(RefreshSerializer)["refresh"]
        pair = sessions.refresh(token=token, client=client_of(request))
        return Response(TokenPairSerializer(pair).data)

    @extend_schema(request=RefreshSerializer, responses={204: None})
    @action(detail=False, methods=["post"], url_path="logout")
    def log_out(self, request: Request) -> Response:
        """Ends the session of a refresh token."""
        sessions.log_out(token=self.body(RefreshSerializer)["refresh"])
        return Response(status=HTTPStatus.NO_CONTENT)

    @extend_schema(request=ResetRequestSerializer, responses={202: None})
    @action(detail=False, methods=["post"], url_path="password-reset")
    def request_reset(self, request: Request) -> Response:
        """Have a link to a new password mailed, which is good for an hour, once. The answer is the
        same whether an account has confirmed this address or not."""
        recovery.request_reset(
            language=get_language_from_request(request),
            client=client_of(request),
            **self.body(ResetRequestSerializer),
        )
        return Response(status=HTTPStatus.ACCEPTED)

    @refuses(UserBlocked)
    @extend_schema(request=ResetSerializer, responses={204: None})
    @action(detail=False, methods=["post"], url_path="password-reset/confirm")
    def reset_password(self, request: Request) -> Response:
        """A new password, by the token of such a link. All sessions end."""
        recovery.reset_password(client=client_of(request), **self.body(ResetSerializer))
        return Response(status=HTTPStatus.NO_CONTENT)

    @refuses(UserBlocked, mailboxes.EmailTaken)
    @extend_schema(request=LinkSerializer, responses={204: None})
    @action(detail=False, methods=["post"], url_path="email/confirm")
    def confirm_email(self, request: Request) -> Response:
        """Confirm an e-mail address by the token of the link that was mailed there; of one that has
        no account yet, it makes the account, or asks the moderators."""
        registrations.confirm(client=client_of(request), **self.body(LinkSerializer))
        return Response(status=HTTPStatus.NO_CONTENT)

    @refuses(UserBlocked, mailboxes.EmailTaken)
    @extend_schema(request=LinkSerializer, responses={204: None})
    @action(detail=False, methods=["post"], url_path="email/undo")
    def undo_email(self, request: Request) -> Response:
        """Take a change of the e-mail address back, by the token of the link that was mailed to
        the former one. All sessions end, and a mail there leads to a new password."""
        mailboxes.undo_email(client=client_of(request), **self.body(LinkSerializer))
        return Response(status=HTTPStatus.NO_CONTENT)


class UserViewSet(BaseViewSet):
    access: ClassVar = {
        "retrieve": AllowAny,
        "me": IsAuthenticated,
        "edit_me": IsAuthenticated,
        "leave": IsAuthenticated,
        "restore": IsAuthenticated,
        "destroy": IsAuthenticated,
        "resend_confirmation": IsAuthenticated,
        "set_image": IsAuthenticated,
        "remove_image": IsAuthenticated,
    }
    serializer_class = UserSerializer
    lookup_field = "username"
    lookup_value_regex = r"[A-Za-z0-9_.-]+"

    def retrieve(self, request: Request, username: str) -> Response:
        """A user, without what is private. A blocked one is shown to moderators alone."""
        return Response(UserSerializer(selectors.user_at(username, request.user)).data)

    @extend_schema(responses=MeSerializer)
    @action(detail=False)
    def me(self, request: Request) -> Response:
        """Yourself."""
        return Response(MeSerializer(current_user(request)).data)

    @refuses(UsernameTaken, TooManyNames, mailboxes.EmailTaken)
    @extend_schema(request=EditedUserSerializer, responses={200: MeSerializer, 202: MeSerializer})
    @me.mapping.patch
    def edit_me(self, request: Request) -> Response:
        """Change your username, title, e-mail address, notifications, language or password.

        A new e-mail address or password needs `current_password` beside it. The address is pending
        until the link that is mailed there confirms it: 202, whether somebody has it or not. A new
        password ends every other session. A former username stays reserved for you for 90 days;
        its URL on the site leads on, here it is 404.
        """
        body = self.body(EditedUserSerializer, partial=True)
        user = services.edit_user(
            actor=current_user(request),
            client=client_of(request),
            session_id=cast(Claims, request.auth).sid,
            **body,
        )
        status = HTTPStatus.ACCEPTED if "email" in body else HTTPStatus.OK
        return Response(MeSerializer(user).data, status)

    @extend_schema(request=None, responses={202: None})
    @action(detail=False, methods=["post"], url_path="me/email/resend")
    def resend_confirmation(self, request: Request) -> Response:
        """Have the mail sent again that asks your address, the pending one first, for
        confirmation."""
        mailboxes.resend_confirmation(actor=current_user(request))
        return Response(status=HTTPStatus.ACCEPTED)

    @refuses(leaving.LastAdmin, reads_body=True)
    @extend_schema(request=CurrentPasswordSerializer, responses={202: LeavingSerializer})
    @me.mapping.delete
    def leave(self, request: Request) -> Response:
        """Have your account deleted, with everything that is yours, after a week.

        Until then nothing of it is shown, and you can restore it. Every other session ends, and
        whatever else you call answers 403, `user_leaving`.
        """
        user = leaving.leave(
            actor=current_user(request),
            client=client_of(request),
            session_id=cast(Claims, request.auth).sid,
            **self.body(CurrentPasswordSerializer),
        )
        return Response(LeavingSerializer(user).data, HTTPStatus.ACCEPTED)

    @refuses(leaving.TooLate)
    @extend_schema(request=None, responses=MeSerializer)
    @action(detail=False, methods=["post"], url_path="me/restore")
    def restore(self, request: Request) -> Response:
        """Stay after all. Repeating it changes nothing."""
        return Response(MeSerializer(leaving.restore(actor=current_user(request))).data)

    @refuses(Forbidden, Oneself, reads_body=True)
    @extend_schema(responses={204: None})
    def destroy(self, request: Request, username: str) -> Response:
        """Have somebody's account deleted at once, with everything that is theirs: no way back.

        A `reason` in the body goes to the log.
        """
        actor = current_user(request)
        body = self.body(ReasonSerializer, authority=partial(require_admin, actor))
        leaving.delete_user(actor=actor, user=username, **body)
        return Response(status=HTTPStatus.NO_CONTENT)

    @extend_schema(request=PictureSerializer, responses=MeSerializer)
    @action(detail=False, methods=["put"], url_path="me/image", parser_classes=[PictureParser])
    def set_image(self, request: Request) -> Response:
        """Your picture: the middle square of the file that you send, in two sizes."""
        user = services.set_image(actor=current_user(request), **self.body(PictureSerializer))
        return Response(MeSerializer(user).data)

    @extend_schema(responses={204: None})
    @set_image.mapping.delete
    def remove_image(self, request: Request) -> Response:
        """Have no picture any more. Repeating it changes nothing."""
        services.set_image(actor=current_user(request), image=None)
        return Response(status=HTTPStatus.NO_CONTENT)


class SessionViewSet(BaseViewSet):
    access: ClassVar = {
        "list": IsAuthenticated,
        "destroy": IsAuthenticated,
        "end_others": IsAuthenticated,
    }
    serializer_class = SessionSerializer
    queryset = Session.objects.none()
    lookup_field = "id"

    def list(self, request: Request) -> HttpResponse:
        """Where you are logged in, latest login first."""
        me, current = current_user(request), cast(Claims, request.auth).sid
        return self.listed(selectors.live_sessions(me, self.window(), current=current))

    def destroy(self, request: Request, id: str) -> Response:
        """End one of your sessions. The core refuses its access token at once, statistics when it
        expires."""
        sessions.end_session(actor=current_user(request), session_id=id_or_404(id))
        return Response(status=HTTPStatus.NO_CONTENT)

    @extend_schema(responses={204: None})
    def end_others(self, request: Request) -> Response:
        """End all your sessions but the one that this very access token comes from."""
        claims = cast(Claims, request.auth)
        sessions.end_other_sessions(actor=current_user(request), session_id=claims.sid)
        return Response(status=HTTPStatus.NO_CONTENT)


@public
def jwks(request: HttpRequest) -> JsonResponse:
    return JsonResponse(public_jwks(), headers={"Cache-Control": "public, max-age=300"})
