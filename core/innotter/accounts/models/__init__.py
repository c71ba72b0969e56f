"""The rows of accounts: users, their sessions, and what they are owed by mail."""

from innotter.accounts.models.mail import AccountMail, FormerMailbox, MailToken
from innotter.accounts.models.names import FormerUsername
from innotter.accounts.models.sessions import KnownDevice, KnownIP, RefreshToken, Session
from innotter.accounts.models.users import LONGEST_TITLE, User, UserManager, password_forms

__all__ = [
    "LONGEST_TITLE",
    "AccountMail",
    "FormerMailbox",
    "FormerUsername",
    "KnownDevice",
    "KnownIP",
    "MailToken",
    "RefreshToken",
    "Session",
    "User",
    "UserManager",
    "password_forms",
]
