"""The demo data that `make run` creates on its first start: people, pages, posts of five weeks."""

# Of every demo account.
PASSWORD = "innotter-demo"

# Username, password, what they are: the accounts to log in with first.
ACCOUNTS: list[tuple[str, str, str]] = [
    ("admin", PASSWORD, "administrator"),
    ("moderator", PASSWORD, "moderator"),
    ("ann", PASSWORD, "owns a public page, and a private one with requests waiting"),
    ("bob", PASSWORD, "follows many pages and has a full feed"),
    ("helen", PASSWORD, "has a second factor: `python -m dev.totp` shows its code"),
]

# Of the one account with an authenticator app. Known to everybody, and so for development alone.
TOTP_USER, TOTP_SECRET = "helen", "DEMODEMODEMODEMODEMODEMODEMODEMO"
