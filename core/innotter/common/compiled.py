"""Reads whose SQL is made once.

A function that says which rows are asked for, decorated by `compiled`, gives them:

    @compiled
    def _pages_at(viewer: Viewer, uuid: str) -> QuerySet[Page]:
        return pages_for(viewer).filter(uuid__lower=uuid)

    pages = _pages_at(viewer, "ann")

It is not called with the values of a call. Each argument is taken apart into its *shape*, on which
the SQL depends (that there is a viewer, and with which role), and *values*, on which it doesn't
(which one). For each shape the function is called once, with stand-ins that have a Parameter in
place of each value; Django makes SQL of what it returns, and PostgreSQL prepares it once for each
connection. So nothing of one call can be in the SQL of another.

Rows are instances of the queryset's model, with what `select_related` and `annotate` add; to touch
what they were read without is an error and no query. After `values_list` they are tuples.
"""

from collections.abc import Callable, Hashable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, singledispatch, wraps
from operator import itemgetter
from typing import Any, Protocol
from uuid import UUID

import psycopg
from django.contrib.postgres.fields import ArrayField
from django.db import (
    DEFAULT_DB_ALIAS,
    InterfaceError,
    NotSupportedError,
    OperationalError,
    connection,
    connections,
)
from django.db.models import (
    FETCH_RAISE,
    DateTimeField,
    Expression,
    Field,
    Model,
    QuerySet,
    TextField,
    UUIDField,
)
from django.db.models.base import ModelState
from django.db.models.expressions import RawSQL
from django.db.models.query import ModelIterable
from django.utils import timezone

from innotter.common.postgresql.prepared import Row
from innotter.common.replicas import by_replica

# Of all reads together: each has as many as kinds of viewers, directions and lengths are asked for.
MOST_SHAPES = 2000

type Value = Any


class Parameter(Expression):
    """A value that a statement is given at each call."""

    def __init__(self, index: int, field: "Field[Any, Any]") -> None:
        super().__init__(output_field=field)
        self.index = index

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        return f"%s::{self.output_field.db_type(connection)}", (self,)


type NewParameter = Callable[["Field[Any, Any]"], Any]


class Shape(Hashable, Protocol):
    """What an argument is, but for its values."""

    def stand_in(self, new: NewParameter) -> Any:
        """The argument with a new Parameter for each of its values, in their order."""


@dataclass(frozen=True)
class Fixed:
    """The shape of what the SQL depends on, such as a number of rows."""

    value: Hashable

    def stand_in(self, new: NewParameter) -> Any:
        return self.value


@dataclass(frozen=True, eq=False)
class Given:
    """The shape of what is nothing but a value of this field. Each is a constant: to compare
    fields at each call would take longer than to look for the statement."""

    field: "Field[Any, Any]"

    def stand_in(self, new: NewParameter) -> Any:
        return new(self.field)


ID, TEXT, MOMENT = Given(UUIDField()), Given(TextField()), Given(DateTimeField())
IDS = Given(ArrayField(UUIDField()))


@singledispatch
def taken_apart(argument: Any) -> tuple[Shape, tuple[Value, ...]]:
    """Its shape and its values. Other kinds of arguments register theirs."""
    return Fixed(argument), ()


@taken_apart.register
def _id(argument: UUID) -> tuple[Shape, tuple[Value, ...]]:
    return ID, (argument,)


@taken_apart.register
def _text(argument: str) -> tuple[Shape, tuple[Value, ...]]:
    return TEXT, (argument,)


@taken_apart.register
def _moment(argument: datetime) -> tuple[Shape, tuple[Value, ...]]:
    return MOMENT, (argument,)


@taken_apart.register
def _ids(argument: list) -> tuple[Shape, tuple[Value, ...]]:  # type: ignore[type-arg] # of UUIDs
    return IDS, (argument,)


_moment_of_the_call: ContextVar[Parameter | None] = ContextVar("moment", default=None)


def now() -> "datetime | Parameter":
    """The present moment, for a condition: in a compiled read that of each call."""
    return _moment_of_the_call.get() or timezone.now()


@dataclass(frozen=True)
class Named:
    """Instances that a statement names by its column `id`, each of one of several querysets. Each
    row is the instance (None where no queryset has it) and the columns of the statement."""

    statement: Expression
    querysets: Sequence[QuerySet[Any]]


def compiled[**P, R](
    rows_asked_for: Callable[P, QuerySet[Any, R] | Named],
) -> Callable[P, list[R]]:
    """Makes a read of a function of positional arguments that returns a queryset. Outside a
    transaction, one that meets a lost connection is tried once more on a new one."""

    @wraps(rows_asked_for)
    def read(*arguments: P.args, **_: P.kwargs) -> list[R]:
        parts = [taken_apart(argument) for argument in arguments]
        statement = statement_for(rows_asked_for, tuple(shape for shape, _ in parts))
        given = [value for _, values in parts for value in values]
        return statement.rows([*given, timezone.now()])

    return read


@dataclass(frozen=True)
class Statement:
    # With `%s` for each parameter.
    sql: str
    # Of each parameter, its place among the values.
    order: Sequence[int]
    row: Callable[[Row], Any]

    def rows(self, values: Sequence[Value]) -> list[Any]:
        params = [values[index] for index in self.order]
        found = by_replica(lambda replica: _fetched(replica, self.sql, params))
        if found is None:
            found = self._of_primary(params)
        return [self.row(row) for row in found]

    def _of_primary(self, params: list[Value]) -> list[Row]:
        # Itself: the proxy `connection` looks for it at each word.
        used: Any = connections[DEFAULT_DB_ALIAS]
        was_open = used.connection is not None
        try:
            found = _fetched(used, self.sql, params)
        except (InterfaceError, NotSupportedError, OperationalError) as error:
            if used.in_atomic_block or not was_open or not _is_connections_fault(error):
                raise
            used.close()
            found = _fetched(used, self.sql, params)
        # So nothing else has to ask whether the connection lives.
        used.health_check_done = True
        return found


def _is_connections_fault(error: Exception) -> bool:
    """It is lost, or what it has prepared is older than a column's type."""
    stale = isinstance(error.__cause__, psycopg.errors.FeatureNotSupported)
    return stale or (connection.connection is not None and connection.connection.closed)


def fetched(sql: str, params: Sequence[Value]) -> list[Row]:
    """The rows of a statement with `%s` for each parameter, which PostgreSQL has prepared. It may
    write, so it is not tried twice: a connection is asked first whether it lives, unless that is
    known."""
    used = connections[DEFAULT_DB_ALIAS]
    used.close_if_health_check_failed()
    return _fetched(used, sql, params)


def _fetched(used: Any, sql: str, params: Sequence[Value]) -> list[Row]:
    used.ensure_connection()
    log = used.make_debug_cursor if used.queries_logged else used.make_cursor
    cursor = log(used.prepared_cursor(sql))
    cursor.execute(sql, params)
    rows: list[Row] = cursor.fetchall()
    return rows


@lru_cache(MOST_SHAPES)
def statement_for(rows_asked_for: Callable[..., Any], shapes: tuple[Shape, ...]) -> Statement:
    parameters = 0

    def new(field: "Field[Any, Any]") -> Parameter:
        nonlocal parameters
        parameters += 1
        return Parameter(parameters - 1, field)

    stand_ins = [shape.stand_in(new) for shape in shapes]
    entered = _moment_of_the_call.set(new(DateTimeField()))
    try:
        asked_for = rows_asked_for(*stand_ins)
    finally:
        _moment_of_the_call.reset(entered)
    connection.ensure_connection()
    sql, params, row = _made_of(asked_for)
    texts = tuple("%s" if isinstance(p, Parameter) else _literal(p) for p in params)
    order = [p.index for p in params if isinstance(p, Parameter)]
    return Statement(sql.replace("%%", "%%%%") % texts, order, row)


# SQL, what stands in it for each `%s`, and what becomes of a row.
type Made = tuple[str, Sequence[Any], Callable[[Row], Any]]


def _made_of(asked_for: QuerySet[Any, Any] | Named) -> Made:
    if isinstance(asked_for, Named):
        return _joined(asked_for)
    sql, params, compiler = _sql_of(asked_for)
    return sql, params, _row_of(asked_for, compiler)


def _joined(asked_for: Named) -> Made:
    compiler = asked_for.querysets[0].query.get_compiler(connection=connection)
    statement, params = asked_for.statement.as_sql(compiler, connection)
    selected, joined, parts, end = "", "", list[tuple[slice, Callable[[Row], Any]]](), 0
    for number, queryset in enumerate(asked_for.querysets):
        sql, more, compiler = _sql_of(queryset.filter(pk=RawSQL("named.id", ())))
        selected += f"kind{number}.*, "
        # OFFSET 0, or the planner may read all of a small table to join it.
        joined += f" LEFT JOIN LATERAL ({sql} OFFSET 0) AS kind{number} ON true"
        params = (*params, *more)
        place = slice(end, end := end + len(compiler.select))
        parts.append((place, _row_of(queryset, compiler)))

    def row(columns: Row) -> Row:
        for place, instance in parts:
            if (found := instance(columns[place])) is not None:
                break
        return found, *columns[end:]

    named = f"WITH named AS MATERIALIZED ({statement})"
    return f"{named} SELECT {selected}named.* FROM named{joined}", params, row  # noqa: S608 (ours)


def _sql_of(queryset: QuerySet[Any, Any]) -> tuple[str, Sequence[Any], Any]:
    """And the compiler, which knows the columns from then on."""
    compiler: Any = queryset.query.get_compiler(connection=connection)
    sql, params = compiler.as_sql()
    if any(hasattr(column.output_field, "from_db_value") for column, *_ in compiler.select):
        raise TypeError("A column is read as PostgreSQL gives it.")
    return sql, params, compiler


def _literal(value: Value) -> str:
    """A constant of the SQL."""
    if isinstance(value, UUID | datetime):
        raise TypeError("What differs from call to call is an argument of a compiled read.")
    cursor = psycopg.ClientCursor(connection.connection)
    return cursor.mogrify("%s", [value]).replace("%", "%%")


def _row_of(queryset: Any, compiler: Any) -> Callable[[Row], Any]:
    """What becomes of the columns that the compiler has just selected."""
    if queryset._iterable_class is not ModelIterable:
        return lambda row: row
    return _instance_of(compiler.klass_info, compiler.select, compiler.annotation_col_map)


class _Read(ModelState):
    """Of a row that is there. What it was read without is an error, not one more query a row."""

    adding, db, fetch_mode = False, DEFAULT_DB_ALIAS, FETCH_RAISE


def _instance_of(
    info: dict[str, Any], select: Any, annotations: dict[str, int] | None = None
) -> Callable[[Row], Any]:
    """As Django's ModelIterable makes it, but for the signals and defaults of `Model.__init__`,
    which take longer than all the rest; None where an outer join has found no row."""
    model: type[Model] = info["model"]
    columns = {select[column][0].target.attname: column for column in info["select_fields"]}
    key = columns[model._meta.pk.attname]
    columns |= annotations or {}
    names, values = tuple(columns), itemgetter(*columns.values())
    related = [
        (each["field"].cache_name, _instance_of(each, select))
        for each in info.get("related_klass_infos", ())
    ]

    def instance(row: Row) -> Any:
        if row[key] is None:
            return None
        found = model.__new__(model)
        state = found._state = _Read()
        # As many of both; to have zip() look takes a sixth of all this.
        found.__dict__.update(zip(names, values(row)))  # noqa: B905
        for name, related_to in related:
            state.fields_cache[name] = related_to(row)
        return found

    return instance
