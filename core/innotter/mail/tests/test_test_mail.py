"""`manage.py test_mail`: what it finds at SES and in the DNS, a real one of ours."""

import socket
from collections.abc import Iterator
from threading import Thread
from typing import Any

import dns.message
import dns.resolver
import dns.rrset
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber
from django.conf import LazySettings
from django.core.management import CommandError, call_command

from innotter.mail import dns_records, ses

type Zone = dict[tuple[str, str], str]

DOMAIN = "innotter.example.com"
KEYS = [f"key{number}._domainkey.{DOMAIN}." for number in (1, 2)]
GOOD: Zone = {
    **{(name, "CNAME"): "x.dkim.amazonses.com." for name in KEYS},
    (f"bounce.{DOMAIN}.", "TXT"): '"v=spf1 include:amazonses" ".com ~all"',
}
# What SES says of a domain that is set up.
IDENTITY: dict[str, Any] = {
    "IdentityType": "DOMAIN",
    "VerifiedForSendingStatus": True,
    "DkimAttributes": {"SigningEnabled": True, "Status": "SUCCESS", "Tokens": ["key1", "key2"]},
    "MailFromAttributes": {
        "MailFromDomain": f"bounce.{DOMAIN}",
        "MailFromDomainStatus": "SUCCESS",
        "BehaviorOnMxFailure": "USE_DEFAULT_VALUE",
    },
}


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Zone]:
    """The records of a server that all questions go to."""
    zone = dict(GOOD)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        ask_only(server.getsockname()[1], monkeypatch)
        thread = Thread(target=serve, args=[server, zone])
        thread.start()
        yield zone
        server.sendto(b"", server.getsockname())
        thread.join()


def ask_only(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], port
    monkeypatch.setattr(dns.resolver, "default_resolver", resolver)


def serve(server: socket.socket, zone: Zone) -> None:
    """Until a question is empty."""
    while (received := server.recvfrom(4096))[0]:
        wire, client = received
        question = dns.message.from_wire(wire)
        answer = dns.message.make_response(question)
        [asked] = question.question
        kind = dns.rdatatype.to_text(asked.rdtype)
        if text := zone.get((asked.name.to_text(), kind)):
            answer.answer.append(dns.rrset.from_text(asked.name, 60, "IN", kind, text))
        server.sendto(answer.to_wire(), client)


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch, settings: LazySettings) -> Iterator[Stubber]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    settings.MAIL_FROM = f"Innotter <mail@{DOMAIN}>"
    with Stubber(ses._client()) as stub:
        stub.add_client_error("get_email_identity", "NotFoundException")
        yield stub


def say(stub: Stubber, status: str = "SUCCESS", **changes: Any) -> None:
    stub.add_response("get_email_identity", {**IDENTITY, **changes}, {"EmailIdentity": DOMAIN})
    stub.add_response("send_bulk_email", {"BulkEmailEntryResults": [{"Status": status}]})


def run(capsys: pytest.CaptureFixture[str]) -> tuple[list[str], str]:
    """The lines that it prints, and the one that it fails with."""
    failure = ""
    try:
        call_command("test_mail", "ann@example.com")
    except CommandError as error:
        failure = str(error)
    return capsys.readouterr().out.splitlines(), failure


def test_all_is_well(stub: Stubber, zone: Zone, capsys: pytest.CaptureFixture[str]) -> None:
    say(stub)
    assert run(capsys) == (
        [
            f"sender  Innotter <mail@{DOMAIN}> is verified",
            f"DKIM    SES signs for {DOMAIN}",
            f"SPF     bounce.{DOMAIN} includes amazonses.com",
            "mail    to ann@example.com: accepted by SES",
        ],
        "",
    )


def test_bounces_to_ses_itself_need_no_record(
    stub: Stubber, zone: Zone, capsys: pytest.CaptureFixture[str]
) -> None:
    say(stub, MailFromAttributes={**IDENTITY["MailFromAttributes"], "MailFromDomain": ""})
    lines, failure = run(capsys)
    assert (lines[2], failure) == ("SPF     mails bounce to amazonses.com, which has it", "")


def test_mails_of_a_sender_that_is_not_verified_wait(
    stub: Stubber, zone: Zone, capsys: pytest.CaptureFixture[str]
) -> None:
    say(stub, "MAIL_FROM_DOMAIN_NOT_VERIFIED", VerifiedForSendingStatus=False)
    lines, failure = run(capsys)
    assert lines[0].endswith("is not verified: SES takes no mail from it")
    assert "unavailable: it would be tried again without limit" in lines[3]
    assert failure == "Not well: sender, mail."


@pytest.mark.parametrize(
    ("record", "text", "about", "words"),
    [
        ((KEYS[1], "CNAME"), "", "DKIM", f"not in the DNS: {KEYS[1][:-1]}"),
        ((f"bounce.{DOMAIN}.", "TXT"), "", "SPF", "has 0 records"),
        ((f"bounce.{DOMAIN}.", "TXT"), '"v=spf1 -all"', "SPF", "does not include:amazonses.com"),
        ((f"bounce.{DOMAIN}.", "TXT"), '"hello"', "SPF", "has 0 records"),
    ],
)
def test_what_the_dns_lacks_is_named(
    stub: Stubber,
    zone: Zone,
    capsys: pytest.CaptureFixture[str],
    record: tuple[str, str],
    text: str,
    about: str,
    words: str,
) -> None:
    zone[record] = text
    say(stub)
    lines, failure = run(capsys)
    assert failure == f"Not well: {about}."
    assert [line for line in lines if line.startswith(about) and words in line]


@pytest.mark.parametrize(
    ("dkim", "words"),
    [
        ({"SigningEnabled": False, "Status": "NOT_STARTED", "Tokens": []}, "set up Easy DKIM"),
        ({"SigningEnabled": True, "Status": "PENDING", "Tokens": ["key1"]}, "has not seen it yet"),
    ],
)
def test_what_ses_does_not_sign_is_named(
    stub: Stubber, zone: Zone, capsys: pytest.CaptureFixture[str], dkim: Any, words: str
) -> None:
    say(stub, DkimAttributes=dkim)
    lines, failure = run(capsys)
    assert words in lines[1]
    assert failure == "Not well: DKIM."


def test_without_a_dns_it_says_so_and_sends(
    stub: Stubber, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dns_records, "PATIENCE", 0.2)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        ask_only(silent.getsockname()[1], monkeypatch)
        say(stub)
        lines, failure = run(capsys)
    assert lines[1].startswith("DKIM    The DNS does not answer: ")
    assert lines[2].startswith("SPF     The DNS does not answer: ")
    assert lines[3].endswith("accepted by SES")
    assert failure == "Not well: DKIM, SPF."


def test_without_ses_it_says_so(
    zone: Zone, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    away = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
    for call in ("get_email_identity", "send_bulk_email"):
        monkeypatch.setattr(ses._client(), call, lambda away=away, **_: raise_(away))
    lines, failure = run(capsys)
    assert len(lines) == 2
    assert lines[0].startswith("sender  SES does not say: Could not connect")
    assert "unavailable" in lines[1]
    assert failure == "Not well: sender, mail."


def raise_(error: Exception) -> None:
    raise error


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(CommandError, match="Enter a valid e-mail address"):
        call_command("test_mail", "nobody")


@pytest.mark.usefixtures("aws")
def test_the_emulator_takes_it(capsys: pytest.CaptureFixture[str], zone: Zone) -> None:
    """Verified as in `make run`, and without DKIM, of which an emulator has none."""
    lines, failure = run(capsys)
    assert lines[0].endswith("is verified")
    assert lines[-1].endswith("accepted by SES")
    assert failure == "Not well: DKIM."
