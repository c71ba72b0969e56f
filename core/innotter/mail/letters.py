"""The mail itself: what is written to one reader about one page."""

import unicodedata
from collections.abc import Sequence

from django.conf import settings
from django.template.loader import render_to_string
from django.utils.text import Truncator

from innotter.accounts.models import User
from innotter.mail.ses import Letter
from innotter.mail.tokens import unsubscribe_token
from innotter.mail.words import WORDS
from innotter.media.storage import image_url
from innotter.pages.models import Page
from innotter.posts.models import Post

LONGEST_NAME = 60


def write_letter(*, reader: User, page: Page, posts: Sequence[Post]) -> Letter:
    """In the reader's language. `posts` come oldest first."""
    words = WORDS[reader.language]
    api = f"{settings.CORE_URL}/api/v1"
    context = {
        "words": words,
        "language": reader.language,
        "name": one_line(page.name),
        "page_url": f"{api}/pages/{page.uuid}",
        "picture_url": image_url(page.image_id, "small") if page.image_id else None,
        "posts": [(post, f"{api}/posts/{post.id}") for post in posts],
        "unsubscribe_url": f"{api}/unsubscribe/{unsubscribe_token(reader.id, page.id)}",
    }
    subject = words["one_post" if len(posts) == 1 else "many_posts"]
    return Letter(
        to=reader.email,
        subject=subject.format(
            name=Truncator(one_line(page.name)).chars(LONGEST_NAME), count=len(posts)
        ),
        text=render_to_string("mail/posts.txt", context),
        html=render_to_string("mail/posts.html", context),
        unsubscribe_url=str(context["unsubscribe_url"]),
    )


def one_line(text: str) -> str:
    """Without line breaks and control characters: it goes into a header."""
    plain = "".join(" " if unicodedata.category(c) == "Cc" else c for c in text)
    return " ".join(plain.split())
