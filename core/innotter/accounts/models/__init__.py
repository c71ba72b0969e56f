"""The rows of accounts: users, their sessions, and what they are owed by mail."""

from innotter.accounts.models.credentials import (
    LONGEST_PASSKEY_NAME,
    Challenge,
    Passkey,
    RecoveryCode,
    Totp,
)
from innotter.accounts.models.mail import AccountMail, FormerMailbox, MailToken
from innotter.accounts.models.names import FormerUsername
from innotter.accounts.models.registrations import Invitation, Registration
from innotter.accounts.models.sessions import KnownDevice, KnownIP, RefreshToken, Session
from innotter.accounts.models.users import LONGEST_TITLE, User, UserManager, password_forms

__all__ = [
    "LONGEST_PASSKEY_NAME",
    "LONGEST_TITLE",
    "AccountMail",
    "Challenge",
    "FormerMailbox",
    "FormerUsername",
    "Invitation",
    "KnownDevice",
    "KnownIP",
    "MailToken",
    "Passkey",
    "RecoveryCode",
    "RefreshToken",
    "Registration",
    "Session",
    "Totp",
    "User",
    "UserManager",
    "password_forms",
]
