"""What the templates of the site say in more than one place."""

from collections.abc import Hashable
from datetime import date, datetime
from functools import cache, lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlencode, urljoin

import heroicons
import regex
from django import forms, template
from django.conf import settings
from django.http import HttpRequest
from django.template.context import RequestContext
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.formats import date_format, number_format
from django.utils.html import escape, format_html, urlize
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext_lazy, ngettext, pgettext
from django.utils.translation import gettext as _

from innotter.accounts.models import User
from innotter.common.devices import device_name
from innotter.common.text import isolate
from innotter.media.storage import image_url
from innotter.moderation.models import ModerationAction
from innotter.pages.models import Page
from innotter.posts.models import Post
from innotter.web.forms import BlockPageForm, ReasonForm

register = template.Library()

MINUTE, HOUR, DAY, YEAR = 60, 3600, 86400, 31_536_000
# Rendered parts of pages in a process; a post takes some eight kilobytes, as text and encoded.
MOST_REMEMBERED = 1000
# Stands for the reader's token, which each page masks anew. No text can say it: it isn't escaped.
TOKEN = SafeString("<csrf_token>")
# Deeper replies stand below each other.
MOST_INDENTED = 5
# What ends a sentence has a space after it, and is in no web or e-mail address.
_MAY_BE_ADDRESS = regex.compile(r"[.:@]\S")

Action, Kind = ModerationAction.Action, ModerationAction.Kind
ACTIONS = {
    (Action.BLOCK, Kind.PAGE): gettext_lazy("blocked the page"),
    (Action.UNBLOCK, Kind.PAGE): gettext_lazy("lifted the block of the page"),
    (Action.BLOCK, Kind.USER): gettext_lazy("blocked the user"),
    (Action.UNBLOCK, Kind.USER): gettext_lazy("unblocked the user"),
    (Action.DELETE, Kind.POST): gettext_lazy("deleted the post"),
    (Action.DELETE, Kind.USER): gettext_lazy("deleted the account"),
    (Action.CONFIRM_EMAIL, Kind.USER): gettext_lazy("confirmed the e-mail address of"),
    (Action.RESET_PASSWORD, Kind.USER): gettext_lazy("sent a link for a new password to"),
    (Action.SET_PASSWORD, Kind.USER): gettext_lazy("set a password for"),
    (Action.MAKE_USER, Kind.USER): gettext_lazy("made a user of"),
    (Action.MAKE_MODERATOR, Kind.USER): gettext_lazy("made a moderator of"),
    (Action.MAKE_ADMIN, Kind.USER): gettext_lazy("made an admin of"),
    (Action.APPROVE, Kind.USER): gettext_lazy("let in"),
    (Action.REJECT, Kind.REGISTRATION): gettext_lazy("rejected a registration"),
}

SECTIONS = {"/", "/search", "/pages", "/likes", "/settings", "/moderation"}

# What moderators fill in, by the name that templates give it.
FORMS = {"reason": ReasonForm, "block_page": BlockPageForm}


@register.filter
def page_url(page: Page) -> str:
    return f"/@{page.uuid}"


@register.filter
def post_url(post: Post) -> str:
    return f"/@{post.page.uuid}/{post.id}"


@register.filter
def person_url(person: User) -> str:
    return f"/u/{person.username}"


@register.simple_tag
def blank(form: str, id: str) -> forms.Form:
    """A form of FORMS that is not filled in; `id` is what the ids of its fields begin with."""
    return FORMS[form](auto_id=f"{id}-%s")


@register.simple_tag
def absolute(path: str) -> str:
    """A path of the site as other sites name it."""
    return urljoin(settings.CORE_URL, path)


@register.filter
def picture_url(name: str) -> str:
    return image_url(name)


@register.filter
def isolated(text: str) -> str:
    return isolate(text)


@register.filter
def indent(depth: int) -> int:
    """How far a reply of this depth stands in."""
    return min(depth - 1, MOST_INDENTED)


@register.filter
def linked(text: str) -> SafeString:
    """The text with its web addresses as links that vouch for nothing."""
    if not _MAY_BE_ADDRESS.search(text):
        return escape(text)
    return SafeString(urlize(text, nofollow=True, autoescape=True))


@register.filter
def post_label(post: Post) -> str:
    """What a post is called, to be listened to."""
    return _("Post by %(name)s") % {"name": isolate(post.page.name)}


@register.filter
def count(number: int) -> str:
    return str(number) if number < 1000 else number_format(number, force_grouping=True)


@register.filter
def replies(number: int) -> str:
    return ngettext("%(number)s reply", "%(number)s replies", number) % {"number": count(number)}


@register.filter
def likes(number: int) -> str:
    return ngettext("%(number)s like", "%(number)s likes", number) % {"number": count(number)}


@register.simple_tag
@cache
def icon(name: str, size: int = 20, style: str = "outline") -> SafeString:
    """One of Heroicons. Decoration: what it stands for is said beside it."""
    # Drawn once for all: it takes a quarter of a millisecond, and a feed shows fifty.
    attributes: dict[str, object] = {"aria_hidden": "true"}
    return SafeString(heroicons._render_icon(style, name, size, attributes).replace("\n", ""))


class Age(NamedTuple):
    """How long ago something was, as far as words tell it."""

    # Seconds.
    unit: int
    # Of units; where it is a week or more, and the unit a YEAR, which year it is now.
    number: int


@register.simple_tag
def when(moment: datetime, exact: bool = False) -> SafeString:
    """A <time>: relative in words, exact on hover; by the reader's clocks."""
    age = None if exact else age_of(moment, timezone.now())
    return time_element(moment, age, get_language(), timezone.get_current_timezone_name())


@lru_cache(maxsize=4096)
def time_element(moment: datetime, age: Age | None, language: str, clocks: str) -> SafeString:
    """Many readers see the same posts. Language and clocks are those in force; exact without an
    age."""
    local = timezone.localtime(moment)
    full = f"{date_format(local, 'DATETIME_FORMAT')} {local.tzname()}"
    return format_html(
        '<time datetime="{}" title="{}"{}>{}</time>',
        moment.isoformat(timespec="seconds"),
        full,
        "" if age else SafeString(" data-exact"),
        _ago(age, local) if age else full,
    )


def age_of(moment: datetime, now: datetime) -> Age:
    """In whole units."""
    ago = now - moment
    if ago.days >= 7:
        return Age(YEAR, now.year)
    if ago.days > 0:
        return Age(DAY, ago.days)
    # What other clocks say is to come is now.
    seconds = ago.seconds if ago.days == 0 else 0
    for unit in (HOUR, MINUTE):
        if seconds >= unit:
            return Age(unit, seconds // unit)
    return Age(MINUTE, 0)


def _ago(age: Age, local: datetime) -> str:
    """In the fewest words; a date from a week on."""
    unit, n = age
    if unit == YEAR:
        return day_and_month(local) if local.year == n else date_format(local, "DATE_FORMAT")
    if n == 0:
        return _("just now")
    if unit == MINUTE:
        return ngettext("%(n)d min ago", "%(n)d min ago", n) % {"n": n}
    if unit == HOUR:
        return ngettext("%(n)d h ago", "%(n)d h ago", n) % {"n": n}
    return ngettext("%(n)d day ago", "%(n)d days ago", n) % {"n": n}


@register.filter
def day_and_month(day: date) -> str:
    return date_format(day, pgettext("day and month, as Django's filter date", "F j"))


@register.simple_tag
def avatar(thing: Any, size: str = "") -> SafeString:
    """A page's or a user's picture, or its first letter. Decoration: the name stands beside it."""
    name = thing.title if hasattr(thing, "title") else thing.name
    if thing.image_id:
        return format_html(
            '<span class="avatar {}" aria-hidden="true"><img src="{}" alt="" width="96" '
            'height="96" loading="lazy" decoding="async" fetchpriority="low"></span>',
            size,
            image_url(thing.image_id, "small"),
        )
    first = regex.match(r"\X", name.lstrip())
    letter = first[0] if first else ""
    return format_html('<span class="avatar {}" aria-hidden="true">{}</span>', size, letter)


@register.simple_tag(takes_context=True)
def remembered(context: RequestContext, template: str, **given: Hashable) -> SafeString:
    """A template that depends on nothing but what it is given and the language: a process remembers
    what it made of them. A reader's token is none of it, and is put in afterwards."""
    return with_token(context, rendered(template, get_language(), **given))


@lru_cache(MOST_REMEMBERED)
def rendered(template: str, language: str, **given: Hashable) -> SafeString:
    """With TOKEN in place of the reader's token."""
    with translation.override(language):
        return render_to_string(template, {**given, "csrf_token": TOKEN})


@lru_cache(MOST_REMEMBERED)
def encoded(html: SafeString) -> bytes:
    """As it travels: of what is remembered, and so made of the same text again and again."""
    return html.encode()


def with_token(context: RequestContext, html: str) -> SafeString:
    """What was rendered, as the reader of this page is shown it."""
    if TOKEN not in html:
        # To ask for a token would set a cookie.
        return SafeString(html)
    return SafeString(html.replace(TOKEN, str(context["csrf_token"])))


@register.simple_tag
def nav(here: str, path: str, picture: str, text: str) -> SafeString:
    """A link of the navigation; `here` is the section of the site where the reader is."""
    return format_html(
        '<li><a href="{}"{}>{}<span>{}</span></a></li>',
        path,
        SafeString(' aria-current="page"') if here == path else "",
        icon(picture, 24),
        text,
    )


@register.filter
def section(path: str) -> str:
    """The link of the navigation that a path of the site belongs to, if any."""
    first = f"/{path[1:].partition('/')[0]}"
    return first if first in SECTIONS else ""


@register.simple_tag
def querystring_of(request: HttpRequest, **changes: str | None) -> str:
    """The question of this request with some of its values others; None takes one away."""
    query = {**request.GET.dict(), **changes}
    return urlencode({name: value for name, value in query.items() if value is not None})


@register.simple_tag
def action_words(row: ModerationAction) -> str:
    """What a row of the log says in words."""
    return str(ACTIONS[Action(row.action), Kind(row.target_kind)])


@register.filter
def device(user_agent: str) -> str:
    return device_name(user_agent)
