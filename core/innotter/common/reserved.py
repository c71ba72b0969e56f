"""Names that nobody may take as a username or as a page's uuid: parts of URLs, and names under
which somebody could pass for the operator. RESERVED_NAMES in the settings adds to them."""

from django.conf import settings

from innotter.common.errors import Invalid

ROUTING = """
    about api assets auth bookmarks confirm docs favicon feed health home invites jwks likes login
    logout manifest me media metrics moderation notifications oauth pages password posts privacy
    register robots schema search sessions settings signin signup static statistics tags terms
    unsubscribe users wellknown www
"""
IMPERSONATING = """
    abuse admin administration administrator administrators admins anonymous billing contact help
    hostmaster innotter legal mailerdaemon moderator moderators noreply official operator operators
    postmaster root security staff superuser support sysadmin system webmaster
"""
RESERVED = frozenset(f"{ROUTING} {IMPERSONATING}".split())


class ReservedName(Invalid):
    code = "reserved"
    detail = "This name is reserved."


def is_reserved(name: str) -> bool:
    """Without regard to case and to the separators "_", "-" and "."."""
    folded = _folded(name)
    return folded in RESERVED or folded in map(_folded, settings.RESERVED_NAMES)


def _folded(name: str) -> str:
    return name.lower().translate(str.maketrans("", "", "_-."))
