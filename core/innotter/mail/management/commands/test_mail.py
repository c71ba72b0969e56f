from argparse import ArgumentParser
from collections.abc import Iterator
from email.utils import parseaddr
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from innotter.common.emails import canonical_email
from innotter.mail.dns_records import DnsUnavailable, records
from innotter.mail.message import EmailMessage, Outcome
from innotter.mail.ses import Sender, send_messages, sender

WORDS = {
    Outcome.SENT: "accepted by SES",
    Outcome.REFUSED: "refused for good",
    Outcome.TRANSIENT_FAILURE: "not now: it would be tried again",
    Outcome.UNAVAILABLE: "unavailable: it would be tried again without limit",
    Outcome.UNKNOWN: "perhaps accepted: SES's answer is lost",
}


class Finding(NamedTuple):
    about: str
    is_well: bool
    words: str


class Command(BaseCommand):
    help = (
        "Sends one mail to an address, and says whether SES has verified the sender and whether "
        "SPF and DKIM stand in the DNS. Fails where something is not well."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("address")

    def handle(self, *args: Any, address: str, **options: Any) -> None:
        try:
            to = canonical_email(address)
        except ValueError as error:
            raise CommandError(f"{address!r}: {error}") from None
        wrong = []
        for finding in _findings(to):
            self.stdout.write(f"{finding.about:<8}{finding.words}")
            if not finding.is_well:
                wrong.append(finding.about)
        if wrong:
            raise CommandError(f"Not well: {', '.join(wrong)}.")


def _findings(to: str) -> Iterator[Finding]:
    try:
        found = sender()
    except (BotoCoreError, ClientError) as error:
        yield Finding("sender", False, f"SES does not say: {error}")
    else:
        state = "verified" if found.is_verified else "not verified: SES takes no mail from it"
        yield Finding("sender", found.is_verified, f"{settings.MAIL_FROM} is {state}")
        for about, look in (("DKIM", _dkim), ("SPF", _spf)):
            try:
                yield Finding(about, *look(found))
            except DnsUnavailable as error:
                yield Finding(about, False, str(error))
    [answer] = send_messages([_mail(to)])
    reason = f" ({answer.error})" if answer.error else ""
    is_sent = answer.outcome is Outcome.SENT
    yield Finding("mail", is_sent, f"to {to}: {WORDS[answer.outcome]}{reason}")


def _dkim(found: Sender) -> tuple[bool, str]:
    names = [f"{name}._domainkey.{found.domain}" for name in found.dkim_names]
    if not names:
        return False, f"SES signs nothing for {found.domain}: set up Easy DKIM there"
    if missing := [name for name in names if not (records(name, "CNAME") or records(name, "TXT"))]:
        return False, f"not in the DNS: {', '.join(missing)}"
    if not found.is_signing:
        return False, "in the DNS, but SES has not seen it yet or does not sign"
    return True, f"SES signs for {found.domain}"


def _spf(found: Sender) -> tuple[bool, str]:
    """Of the domain that bounces go to: SES's own has it, and nothing is asked of ours."""
    if found.bounce_domain is None:
        return True, "mails bounce to amazonses.com, which has it"
    texts = [text for text in records(found.bounce_domain, "TXT") if text.startswith("v=spf1")]
    if len(texts) != 1:
        return False, f"{found.bounce_domain} has {len(texts)} records that begin v=spf1"
    if "include:amazonses.com" not in texts[0].split():
        return False, f"{found.bounce_domain} does not include:amazonses.com"
    return True, f"{found.bounce_domain} includes amazonses.com"


def _mail(to: str) -> EmailMessage:
    address = parseaddr(settings.MAIL_FROM)[1]
    text = f"This mail was sent by {settings.CORE_URL} as {address}, to see that mail arrives."
    return EmailMessage(to=to, subject="Innotter: a test", text=text, html=f"<p>{text}</p>")
