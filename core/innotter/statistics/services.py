from uuid import UUID

from django.db import transaction

from innotter.common.errors import NotFound
from innotter.events.services import begin_epoch, record
from innotter.pages.models import Page
from innotter.statistics.selectors import days_of
from innotter_contracts.events import PageRecounted


@transaction.atomic
def recount(*, page_id: UUID) -> None:
    """Publishes all that is known of a page and counted for it, which replaces all before.

    What is written meanwhile waits until the page is counted. Raises NotFound, and Busy when
    others are just writing and will not be kept from it.
    """
    epoch = begin_epoch(page_id)
    page = Page.objects.filter(pk=page_id).first()
    if page is None:
        raise NotFound
    payload = PageRecounted.Payload(
        revision=page.revision,
        page_id=page.id,
        epoch=epoch,
        uuid=page.uuid,
        name=page.name,
        owner_id=page.owner_id,
        days=[
            PageRecounted.Day(date=day, counts=dict(counts))
            for day, counts in sorted(days_of(page_id).items())
        ],
    )
    record(PageRecounted(actor=None, payload=payload))
