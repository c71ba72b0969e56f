"""What the admin panel's lists share. The panel shows; what it changes, it changes by actions."""

from functools import cached_property
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse

# Nobody turns more pages than that: they search or filter.
MOST_ROWS = 10_000
# Of a table whose words no index has, a search reads so many rows: writing an index would cost
# every write of a row, and reading all rows every search.
SEARCHED_ROWS = 100_000


def newest(model: type[Model]) -> Q:
    """The newest SEARCHED_ROWS rows of a table whose ids are UUIDv7."""
    last = model._default_manager.order_by("-id").values("id")[SEARCHED_ROWS : SEARCHED_ROWS + 1]
    return Q(id__gte=Coalesce(Subquery(last), UUID(int=0)))


def with_id(text: str) -> Q:
    """The row of that id; none where the text is no UUID."""
    try:
        return Q(id=UUID(text))
    except ValueError:
        return Q(pk__in=[])


class BoundedPaginator(Paginator):  # type: ignore[type-arg] # generic in the stubs alone
    """Counts no further than MOST_ROWS, so that a big table costs no more than that."""

    @cached_property
    def count(self) -> int:
        assert isinstance(self.object_list, QuerySet)
        return self.object_list[:MOST_ROWS].count()


class FilteredList(ChangeList):
    """A list that is narrowed by its `list_filter` alone: any other condition in the query string
    would be a question about columns that it does not show. Django then redirects to the whole
    list, as it does for values that no filter takes."""

    def get_filters(self, request: HttpRequest) -> Any:
        if any("\0" in value for values in self.filter_params.values() for value in values):
            raise IncorrectLookupParameters
        found = super().get_filters(request)
        # The filters have taken their own.
        _, _, remaining, *_ = found
        if remaining:
            raise IncorrectLookupParameters
        return found


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg] # generic in the stubs alone
    """No form writes to a row, so that no change passes by the services."""

    ordering: ClassVar = ["-id"]
    list_per_page = 50
    paginator = BoundedPaginator
    # No second COUNT for "50 results (1,000,000 total)", and none for each choice of a filter.
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    # That there is a search; `found_by` says what it finds.
    search_fields: ClassVar = ["found_by"]

    def found_by(self, word: str) -> Q:
        """The rows that one word of a search finds, each part of it by an index."""
        raise NotImplementedError

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return queryset.filter(*map(self.found_by, search_term.split())), False

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        return FilteredList

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *location: Any, **locations: Any
    ) -> HttpResponse | None:
        try:
            for chosen in request.POST.getlist(ACTION_CHECKBOX_NAME):
                self.opts.pk.to_python(chosen)
        except ValidationError as error:
            self.message_user(request, " ".join(error.messages), messages.ERROR)
            return None
        return super().response_action(request, queryset, *location, **locations)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
