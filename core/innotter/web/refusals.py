"""What the services refuse, in the person's language."""

import re

from django.utils.translation import gettext, gettext_noop

from innotter.common.errors import DomainError

# Their English words, as `make messages` finds them; numbers stand as %s.
KNOWN = frozenset(
    {
        gettext_noop("A picture has at most %s megapixels."),
        gettext_noop("A picture has at most %s MB."),
        gettext_noop("A tag has no slash in it and is not a dot or two."),
        gettext_noop("Another account has this e-mail address."),
        gettext_noop("Another account has this username."),
        gettext_noop("Another page has this uuid."),
        gettext_noop("At least one visible character is expected."),
        gettext_noop("At most %s characters are allowed."),
        gettext_noop("At most %s tags are allowed."),
        gettext_noop("Line breaks and control characters are not allowed."),
        gettext_noop("Nobody can do this to themselves."),
        gettext_noop("Only an admin may block a page for good, or change or lift such a block."),
        gettext_noop("Other pictures are being made: try again in a moment."),
        gettext_noop("Pictures cannot be stored at the moment."),
        gettext_noop("The file holds another kind of picture than its extension says."),
        gettext_noop("The file is damaged, or no PNG, JPEG, WebP or GIF."),
        gettext_noop("There is no account with this name and password."),
        gettext_noop("There is nothing here, or nothing that you may see."),
        gettext_noop("This account is blocked."),
        gettext_noop("This is not your password."),
        gettext_noop("This moment is past."),
        gettext_noop("This page is blocked: nothing can be written on it."),
        gettext_noop("This page is your own: you see its posts without following it."),
        gettext_noop("You may not do this."),
    }
)
NUMBER = re.compile(r"\d+")


def in_words(error: DomainError) -> str:
    """What an error says, translated where it is known."""
    text = str(error)
    known = NUMBER.sub("%s", text)
    return gettext(known) % tuple(NUMBER.findall(text)) if known in KNOWN else gettext(text)
