"""What the services refuse, in the person's language."""

import re

from django.utils.translation import gettext, gettext_noop

from innotter.common.errors import DomainError

# Where a form has another word for it than the API.
ON_FORMS = {"This uuid is taken.": gettext_noop("This address is taken.")}
# Their English texts, as `make messages` finds them; numbers stand as %s.
KNOWN = frozenset(
    {
        gettext_noop("A tag must not contain a slash, or be one or two dots."),
        gettext_noop("At least one visible character is expected."),
        gettext_noop("At most %s characters are allowed."),
        gettext_noop("At most %s names can be given up in %s days. You can take one of them back."),
        gettext_noop("At most %s passkeys are allowed."),
        gettext_noop("At most %s tags are allowed."),
        gettext_noop("Authentication required."),
        gettext_noop("Confirm your e-mail address first."),
        gettext_noop("Conflict with the current state."),
        gettext_noop("Damaged file, or not a PNG, JPEG, WebP or GIF."),
        gettext_noop("Enter a valid e-mail address."),
        gettext_noop("Give your password again first."),
        gettext_noop("Invalid cursor."),
        gettext_noop("Invalid username, e-mail address or password."),
        gettext_noop("Invalid value."),
        gettext_noop("Line breaks and control characters are not allowed."),
        gettext_noop("Must be in the future."),
        gettext_noop("Not found."),
        gettext_noop("Only an admin may set, change or lift a permanent block."),
        gettext_noop("Permission denied."),
        gettext_noop("Picture storage is unavailable."),
        gettext_noop("Pictures are limited to %s MB."),
        gettext_noop("Pictures are limited to %s megapixels."),
        gettext_noop("Recovery codes come with an authenticator app or a passkey."),
        gettext_noop("Set up a second factor first: everybody who moderates here needs one."),
        gettext_noop("Set up an authenticator app first."),
        gettext_noop("Statistics are not available at the moment."),
        gettext_noop("Temporarily unavailable."),
        gettext_noop("The content does not match the extension."),
        gettext_noop("The database is unavailable."),
        gettext_noop("The extension must be one of .png, .jpg, .jpeg, .webp, .gif."),
        gettext_noop("The passkey could not be added. Begin again."),
        gettext_noop("There is an authenticator app already. Turn it off first."),
        gettext_noop("This Idempotency-Key was used for another request."),
        gettext_noop("This account has no confirmed e-mail address."),
        gettext_noop("This account is about to be deleted. Restore it first."),
        gettext_noop("This account is being deleted and cannot be restored."),
        gettext_noop("An invitation is needed to register here."),
        gettext_noop("Between %s and %s uses are allowed."),
        gettext_noop("Must be in the future, and within a year."),
        gettext_noop("Nobody can register here at the moment."),
        gettext_noop("This account is blocked."),
        gettext_noop("This invitation is used up or has expired."),
        gettext_noop(
            "You have as many invitations as one person may have. Withdraw one of them first."
        ),
        gettext_noop("This e-mail address is taken."),
        gettext_noop("This link was used, has expired, or was replaced by another."),
        gettext_noop("This login took too long or too many tries. Begin again."),
        gettext_noop("This name is reserved."),
        gettext_noop("This page is blocked."),
        gettext_noop("This page is private. Follow it to see its posts."),
        gettext_noop("This passkey is not known here, or did not confirm that it is you."),
        gettext_noop("This passkey was added before."),
        gettext_noop("This username is taken."),
        *ON_FORMS,
        *ON_FORMS.values(),
        gettext_noop("Too many pictures are being processed. Try again later."),
        gettext_noop("Too many requests."),
        gettext_noop("Whether this was done is unknown."),
        gettext_noop("Wrong code, or one that was used before."),
        gettext_noop("Wrong password."),
        gettext_noop("You are the last admin. Make somebody else an admin first."),
        gettext_noop("You cannot do this to yourself."),
        gettext_noop("You own as many pages as one person may have here."),
        gettext_noop("Your data is being collected already."),
        gettext_noop("You are the last admin. Make somebody else an admin first."),
        gettext_noop("You own this page."),
    }
)
NUMBER = re.compile(r"\d+")


def in_words(error: DomainError) -> str:
    """What an error says, translated where it is known."""
    text = ON_FORMS.get(str(error), str(error))
    known = NUMBER.sub("%s", text)
    return gettext(known) % tuple(NUMBER.findall(text)) if known in KNOWN else gettext(text)
