"""The one form in which an e-mail address is kept, compared and sent."""

from email_validator import EmailNotValidError, validate_email

# RFC 5321: 256 octets with the angle brackets around it.
MAX_EMAIL_LENGTH = 254


def canonical_email(text: str) -> str:
    """An ASCII local part and the domain as IDNA A-labels (RFC 5321, RFC 5891), in lower case.

    Of a canonical address it is that address. No DNS is asked. Raises ValueError for what no mail
    system takes: quoted or over-long local parts, characters other than ASCII before the "@",
    host names without a dot, special-use domains such as localhost.
    """
    try:
        found = validate_email(text, allow_smtputf8=False, check_deliverability=False, strict=True)
    except EmailNotValidError:
        raise ValueError("Enter a valid e-mail address.") from None
    assert found.ascii_email is not None
    return found.ascii_email.lower()


def folded_email(text: str) -> str:
    """For comparing with what may not be canonical: the canonical form where there is one,
    otherwise lower case."""
    try:
        return canonical_email(text)
    except ValueError:
        return text.lower()
