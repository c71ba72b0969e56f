"""Who may have which public name.

Names that nobody may take as a username or as a page's uuid: parts of URLs, and names under
which somebody could pass for the operator. RESERVED_NAMES in the settings adds to them.
And names that somebody had stay theirs for a while.
"""

from datetime import timedelta

from django.conf import settings

from innotter.common.errors import Conflict, Invalid

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


# So long is a former name kept for its owner.
RESERVED_FOR = timedelta(days=90)
# So many of one user or page at once; one that is taken back is former no longer.
MOST_FORMER = 3


class TooManyNames(Conflict):
    code = "too_many_names"
    detail = "At most 3 names can be given up in 90 days. You can take one of them back."


def is_reserved(name: str) -> bool:
    """Without regard to case and to the separators "_", "-" and "."."""
    folded = _folded(name)
    return folded in RESERVED or folded in map(_folded, settings.RESERVED_NAMES)


def _folded(name: str) -> str:
    return name.lower().translate(str.maketrans("", "", "_-."))
