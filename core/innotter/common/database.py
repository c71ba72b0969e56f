from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from string import Formatter
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, IntegrityError, connection, transaction
from django.db.models import (
    BooleanField,
    CharField,
    Exists,
    Expression,
    ExpressionWrapper,
    Field,
    Func,
    IntegerField,
    Lookup,
    Model,
    Q,
    QuerySet,
    Subquery,
    TextField,
    Value,
)
from django.db.models.expressions import DatabaseDefault
from django.db.models.functions import Concat
from psycopg.errors import UniqueViolation

from innotter.common.errors import Conflict, Invalid
from innotter.common.models import Record


@contextmanager
def conflicts(names: Mapping[str | None, type[Conflict]]) -> Iterator[None]:
    """A transaction in which breaking a unique constraint raises the Conflict named for it.

    The database decides, so that of two clients at once one wins; what is named by nobody
    stays an IntegrityError.
    """
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        cause = error.__cause__
        name = cause.diag.constraint_name if isinstance(cause, UniqueViolation) else None
        if name in names:
            raise names[name] from None
        raise


def lock_names(kind: str, *names: str) -> None:
    """Until the transaction ends nobody else has a lock of such a name: for what is unique across
    tables. Before all locks of rows that others may hold while they wait here."""
    with connection.cursor() as cursor:
        for name in sorted(set(names)):
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"{kind}\n{name}"]
            )


# Further than this nobody counts for a reader: what is counted row by row has an end (decision 13).
MOST_COUNTED = 1_000


class CountOfFirst(Subquery):
    """Of the first MOST_COUNTED rows of an ordered queryset, those that the condition holds of."""

    template = "(SELECT count(*) FILTER (WHERE holds) FROM (%(subquery)s) AS first)"
    output_field = IntegerField()

    def __init__(self, rows: QuerySet[Any], condition: Q) -> None:
        holds = ExpressionWrapper(condition, output_field=BooleanField())
        super().__init__(rows.values(holds=holds)[:MOST_COUNTED])


class IsOneOf(Func):
    """Finds rows by their index, whatever the planner thinks of the ids. With `in` it may read the
    whole table and compare, where the ids have cost so much that it calls that little."""

    template = "%(expressions)s)"
    arg_joiner = " = ANY("
    output_field = BooleanField()


class ExistsByIndex(Exists):
    """Looks for a row by its index, each time. Of EXISTS alone the planner may make a join, or a
    hash table of all rows for each place in a statement where it stands; not with an OFFSET."""

    template = "EXISTS(%(subquery)s OFFSET 0)"


LAST_CHARACTER = "\U0010ffff"


def begins_with(column: str, text: Any) -> Q:
    """By an index in the order of code points. Of LIKE PostgreSQL makes such a range only where it
    knows the text before it plans."""
    end = Concat(text, Value(LAST_CHARACTER), output_field=TextField())
    return Q(**{f"{column}__gte": text, f"{column}__lte": end})


class Composed(Expression):
    """SQL of our own around querysets, for what Django can't say. `{name}` in the template is the
    SQL of that queryset, in parentheses; of that expression; or that text."""

    def __init__(
        self,
        template: str,
        output_field: "Field[Any, Any] | None" = None,
        **parts: "QuerySet[Any, Any] | Expression | Subquery | str",
    ) -> None:
        super().__init__(output_field=output_field)
        self.template, self.parts = template, parts

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        sql, params = "", list[Any]()
        for text, name, *_ in Formatter().parse(self.template):
            sql += text.replace("%", "%%")
            part = self.parts[name] if name else ""
            if isinstance(part, QuerySet):
                part_sql, part_params = part.query.as_sql(compiler, connection)
                sql, params = f"{sql}({part_sql})", [*params, *part_params]
            elif isinstance(part, str):
                sql += part
            else:
                part_sql, part_params = part.as_sql(compiler, connection)
                sql, params = sql + part_sql, [*params, *part_params]
        return sql, tuple(params)


INSERT = 'INSERT INTO "{table}" ({columns}) VALUES ({places})'


class Insertion(NamedTuple):
    """`INSERT INTO … VALUES …` of one row, for a statement that does more, and its values."""

    sql: str
    values: list[Any]


def insertion(row: Model) -> Insertion:
    """Of a new row, which has the values of its fields from here on, as after `save()`."""
    given = {field: field.pre_save(row, True) for field in row._meta.concrete_fields}
    fields = tuple(f for f, value in given.items() if not isinstance(value, DatabaseDefault))
    values = [field.get_db_prep_save(given[field], connection) for field in fields]
    row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS
    return Insertion(_insert_into(row._meta.db_table, fields), values)


@lru_cache
def _insert_into(table: str, fields: "tuple[Field[Any, Any], ...]") -> str:
    columns = ", ".join(f'"{field.column}"' for field in fields)
    return INSERT.format(table=table, columns=columns, places=", ".join(["%s"] * len(fields)))


def assign(row: Record, changes: Mapping[str, Any]) -> set[str]:
    """Gives the row these values; the fields to save, none if none differs."""
    differing = {field: value for field, value in changes.items() if value != getattr(row, field)}
    for field, value in differing.items():
        setattr(row, field, value)
    return {*differing, "updated_at"} if differing else set()


def known_fields(changes: Mapping[str, Any], allowed: type) -> None:
    """Raises TypeError for a change that the TypedDict does not name."""
    if unknown := changes.keys() - allowed.__annotations__.keys():
        raise TypeError(f"{allowed.__name__} has no {', '.join(sorted(unknown))}")


def checked(model: type[Model], field: str, value: Any) -> Any:
    """The value as the model's field takes it, whatever front end sent it. Raises Invalid."""
    try:
        return model._meta.get_field(field).clean(value, None)  # type: ignore[union-attr]
    except ValidationError as error:
        raise Invalid(field, " ".join(error.messages)) from None


class Folded(Func):
    """A column as searches compare it: without case, form of composition, and the dots of ё."""

    function = "fold_text"
    template = '(%(function)s(%(expressions)s) COLLATE "C")'
    output_field = TextField()


@CharField.register_lookup
class Searched(Lookup):
    """`name__searched=`: has the text somewhere, by the trigrams that the app search keeps."""

    lookup_name = "searched"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        column, params = self.process_lhs(compiler, connection)
        # Folding makes no wildcard, and leaves those alone that are escaped.
        within = f"%{connection.ops.prep_for_like_query(self.rhs)}%"
        return f'(fold_text({column}) COLLATE "C") LIKE fold_text(%s)', (*params, within)
