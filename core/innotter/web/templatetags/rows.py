"""Pages and people in lists, remembered by what is shown of them."""

from typing import NamedTuple

from django import template
from django.template import RequestContext
from django.utils.safestring import SafeString

from innotter.accounts.models import User
from innotter.pages.models import Page
from innotter.web.templatetags.web import remembered

register = template.Library()


class PageRow(NamedTuple):
    uuid: str
    name: str
    image_id: str | None
    is_private: bool
    followers_count: int


class PersonRow(NamedTuple):
    username: str
    title: str
    image_id: str | None


@register.simple_tag(takes_context=True)
def page_row(context: RequestContext, page: Page) -> SafeString:
    shown = PageRow(page.uuid, page.name, page.image_id, page.is_private, page.followers_count)
    return remembered(context, "web/page_row.html", page=shown)


@register.simple_tag(takes_context=True)
def person_row(context: RequestContext, person: User) -> SafeString:
    shown = PersonRow(person.username, person.title, person.image_id)
    return remembered(context, "web/person.html", person=shown)
