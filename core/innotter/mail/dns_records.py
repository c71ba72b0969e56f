"""The DNS, asked when an operator wants to know what others see of our mail."""

import dns.exception
import dns.resolver

from innotter.common.errors import Unavailable

# Seconds for one question, all its tries together.
PATIENCE = 5


class DnsUnavailable(Unavailable):
    """No server has answered; whether there is such a record is unknown."""

    code = "dns_unavailable"
    detail = "The DNS does not answer."


def records(name: str, kind: str) -> list[str]:
    """Of a name and a type such as TXT, as text; none where there are none. Raises
    DnsUnavailable."""
    try:
        found = dns.resolver.resolve(name, kind, lifetime=PATIENCE)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except (dns.exception.DNSException, OSError) as error:
        raise DnsUnavailable(f"The DNS does not answer: {_line(error)}") from None
    # A long text comes in pieces, each quoted, that are one (RFC 7208, 3.3).
    return [record.to_text().replace('" "', "").strip('"') for record in found]


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
