"""Who calls, as far as a service has to know it: services get a Client, never a request."""

import ipaddress
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest


@dataclass(frozen=True)
class Client:
    """`ip` as limits count it: of IPv6 the /64 network; empty when unknown. `user_agent` is
    printable, at most 200 characters."""

    ip: str = ""
    user_agent: str = ""

    @property
    def network(self) -> str:
        """Roughly from where: of IPv4 the /24 network, of IPv6 the /48; empty when unknown."""
        if not self.ip:
            return ""
        known = ipaddress.ip_interface(self.ip).ip
        return str(ipaddress.ip_network((known, 24 if known.version == 4 else 48), strict=False))


def client_of(request: HttpRequest) -> Client:
    said = request.META.get("HTTP_USER_AGENT", "")
    return Client(client_ip(request), "".join(filter(str.isprintable, said))[:200])


def client_ip(request: HttpRequest) -> str:
    """Where a request comes from, as far as it can be trusted: the TRUSTED_PROXIES-th entry of
    X-Forwarded-For from its end; of IPv6 the network, whose every IP one client may use."""
    chain = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    proxies = settings.TRUSTED_PROXIES
    said = chain[-proxies] if 0 < proxies <= len(chain) else ""
    for text in (said, request.META.get("REMOTE_ADDR", "")):
        try:
            ip = ipaddress.ip_address(text.strip())
        except ValueError:
            continue
        if isinstance(ip, ipaddress.IPv6Address) and not ip.ipv4_mapped:
            return str(ipaddress.ip_network((ip, 64), strict=False))
        return str(getattr(ip, "ipv4_mapped", None) or ip)
    return ""
