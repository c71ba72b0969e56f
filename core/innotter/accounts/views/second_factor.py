from http import HTTPStatus
from typing import Any, ClassVar, cast
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from innotter.accounts import second_factor
from innotter.accounts.models import Passkey
from innotter.accounts.permissions import current_user
from innotter.accounts.policies import EmailUnconfirmed
from innotter.accounts.second_factor import Proof
from innotter.accounts.selectors import passkeys_of
from innotter.accounts.serializers import (
    AddedPasskeySerializer,
    CodeSerializer,
    CreatedCredentialSerializer,
    CreationOptionsSerializer,
    CurrentPasswordSerializer,
    PasskeySerializer,
    RecoveryCodesSerializer,
    TotpSetupSerializer,
)
from innotter.common.clients import client_of
from innotter.common.schema import refuses
from innotter.common.views import BaseViewSet, id_or_404
from innotter_contracts.tokens import Claims


class SecondFactorViewSet(BaseViewSet):
    access: ClassVar = {
        "set_up_totp": IsAuthenticated,
        "confirm_totp": IsAuthenticated,
        "remove_totp": IsAuthenticated,
        "renew_recovery_codes": IsAuthenticated,
    }

    @refuses(EmailUnconfirmed, second_factor.TotpOn)
    @extend_schema(request=CurrentPasswordSerializer, responses=TotpSetupSerializer)
    @action(detail=False, methods=["post"], url_path="totp")
    def set_up_totp(self, request: Request) -> Response:
        """A secret for an authenticator app. It counts once `confirm` has had a code of it, within
        an hour."""
        setup = second_factor.set_up_totp(actor=current_user(request), proof=_proof(self))
        return Response(TotpSetupSerializer(setup).data)

    @refuses(reads_body=True)
    @extend_schema(request=CurrentPasswordSerializer, responses={204: None})
    @set_up_totp.mapping.delete
    def remove_totp(self, request: Request) -> Response:
        """Have no authenticator app any more. Repeating it changes nothing. Recovery codes go with
        the last factor, and all other sessions end."""
        second_factor.remove_totp(actor=current_user(request), proof=_proof(self))
        return Response(status=HTTPStatus.NO_CONTENT)

    @refuses(EmailUnconfirmed, second_factor.TotpNotSetUp)
    @extend_schema(request=CodeSerializer, responses=RecoveryCodesSerializer)
    @action(detail=False, methods=["post"], url_path="totp/confirm")
    def confirm_totp(self, request: Request) -> Response:
        """The app's first code: from now on a login needs one. Ten recovery codes, which are shown
        this once; all other sessions end."""
        codes = second_factor.confirm_totp(
            actor=current_user(request),
            client=client_of(request),
            session_id=_session_id(request),
            **self.body(CodeSerializer),
        )
        return Response({"recovery_codes": codes})

    @refuses(second_factor.NoSecondFactor)
    @extend_schema(request=CurrentPasswordSerializer, responses=RecoveryCodesSerializer)
    @action(detail=False, methods=["post"], url_path="recovery-codes")
    def renew_recovery_codes(self, request: Request) -> Response:
        """Ten new recovery codes, which are shown this once; the former are good no longer."""
        codes = second_factor.renew_recovery_codes(actor=current_user(request), proof=_proof(self))
        return Response({"recovery_codes": codes})


class PasskeyViewSet(BaseViewSet):
    access: ClassVar = {
        "list": IsAuthenticated,
        "create": IsAuthenticated,
        "destroy": IsAuthenticated,
        "creation_options": IsAuthenticated,
    }
    serializer_class = PasskeySerializer
    queryset = Passkey.objects.none()
    lookup_field = "id"

    def list(self, request: Request) -> HttpResponse:
        """Your passkeys, latest first."""
        return self.listed(passkeys_of(current_user(request), self.window()))

    @refuses(EmailUnconfirmed, second_factor.TooManyPasskeys)
    @extend_schema(request=CurrentPasswordSerializer, responses=CreationOptionsSerializer)
    @action(detail=False, methods=["post"], url_path="options")
    def creation_options(self, request: Request) -> Response:
        """What `navigator.credentials.create()` takes as `publicKey`, in WebAuthn's own JSON. It is
        good once, for five minutes."""
        return Response(
            second_factor.passkey_creation(actor=current_user(request), proof=_proof(self))
        )

    @refuses(EmailUnconfirmed, second_factor.TooManyPasskeys, second_factor.PasskeyKnown)
    @extend_schema(request=CreatedCredentialSerializer, responses={201: AddedPasskeySerializer})
    def create(self, request: Request) -> Response:
        """A passkey that answers `options`, as `navigator.credentials.create()` gives it, in
        WebAuthn's own JSON, perhaps with a `name`. With the first factor come ten recovery codes,
        which are shown this once; all other sessions end."""
        body = self.body(CreatedCredentialSerializer)
        passkey, codes = second_factor.add_passkey(
            actor=current_user(request),
            session_id=_session_id(request),
            name=body.pop("name", ""),
            credential=body,
        )
        shown: dict[str, Any] = {**PasskeySerializer(passkey).data, "recovery_codes": codes}
        return Response(shown, HTTPStatus.CREATED)

    @refuses(reads_body=True)
    @extend_schema(request=CurrentPasswordSerializer, responses={204: None})
    def destroy(self, request: Request, id: str) -> Response:
        """Take a passkey away. Recovery codes go with the last factor, and all other sessions
        end."""
        passkey_id = id_or_404(id)
        second_factor.remove_passkey(
            actor=current_user(request), proof=_proof(self), passkey_id=passkey_id
        )
        return Response(status=HTTPStatus.NO_CONTENT)


def _proof(view: BaseViewSet) -> Proof:
    password = view.body(CurrentPasswordSerializer)["current_password"]
    return Proof(client_of(view.request), _session_id(view.request), password)


def _session_id(request: Request) -> UUID | None:
    """The session of the access token, which goes on."""
    return cast(Claims, request.auth).sid
