"""The mail about new posts: what is written to one reader about one page."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.translation import gettext

from innotter.accounts.models import User
from innotter.common.text import cut, one_line, within_text
from innotter.common.time_zones import zone
from innotter.mail.message import EmailMessage
from innotter.mail.tokens import unsubscribe_token
from innotter.media.storage import image_url
from innotter.pages.models import Page
from innotter.posts.models import Post

# Code points of a page's name in a subject.
LONGEST_NAME = 60


def write_page_mail(*, reader: User, page: Page, posts: Sequence[Post]) -> EmailMessage:
    """In the reader's language, by their clocks. `posts` come oldest first."""
    assert reader.email is not None, "no mail about pages before that"
    page_url = f"{settings.CORE_URL}/@{page.uuid}"
    token = unsubscribe_token(reader.id, page.id)
    context = {
        "name": within_text(page.name),
        "page_url": page_url,
        "picture_url": image_url(page.image_id, "small") if page.image_id else None,
        "posts": [(post, f"{page_url}/{post.id}") for post in posts],
        # For people; mail programs have the API's, which asks for no cookie.
        "unsubscribe_url": f"{settings.CORE_URL}/unsubscribe/{token}",
        "stop_all_url": f"{settings.CORE_URL}/unsubscribe/{unsubscribe_token(reader.id, None)}",
    }
    with translation.override(reader.language), timezone.override(zone(reader.time_zone)):
        return EmailMessage(
            to=reader.email,
            subject=_subject(page, len(posts)),
            text=render_to_string("mail/posts.txt", context),
            html=render_to_string("mail/posts.html", context),
            unsubscribe_url=f"{settings.CORE_URL}/api/v1/unsubscribe/{token}",
            list_id=f"{page.id}.pages.{urlsplit(settings.CORE_URL).hostname}",
        )


def _subject(page: Page, posts: int) -> str:
    name = within_text(cut(one_line(page.name), LONGEST_NAME))
    if posts == 1:
        return gettext("%(name)s: new post") % {"name": name}
    return gettext("%(name)s: new posts (%(count)d)") % {"name": name, "count": posts}
