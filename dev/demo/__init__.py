"""The demo world that `make run` creates on its first start: people, pages, posts of five weeks."""

# Of everybody in it.
PASSWORD = "innotter-demo"

# Username, password, what they are: those that a newcomer should sign in as.
ACCOUNTS: list[tuple[str, str, str]] = [
    ("admin", PASSWORD, "administrator"),
    ("moderator", PASSWORD, "moderator"),
    ("ann", PASSWORD, "owns a public page, and a private one with requests waiting"),
    ("bob", PASSWORD, "follows many pages and has a full feed"),
]
