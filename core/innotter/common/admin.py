"""What the admin panel's lists share. The panel shows; what it changes, it changes by actions."""

from functools import cached_property
from typing import ClassVar

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest

# Nobody turns more pages than that: they search or filter.
MOST_ROWS = 10_000


class BoundedPaginator(Paginator):  # type: ignore[type-arg] # generic in the stubs alone
    """Counts no further than MOST_ROWS, so that a big table costs no more than that."""

    @cached_property
    def count(self) -> int:
        assert isinstance(self.object_list, QuerySet)
        return self.object_list[:MOST_ROWS].count()


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg] # generic in the stubs alone
    """No form writes to a row, so that no change passes by the services."""

    ordering: ClassVar = ["-id"]
    list_per_page = 50
    paginator = BoundedPaginator
    # No second COUNT for "50 results (1,000,000 total)", and none for each choice of a filter.
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
