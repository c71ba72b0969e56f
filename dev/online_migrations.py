"""`make check ARGS=migrations`: each runs while the version before goes on reading and writing.

So it may neither take away what that version uses, nor hold a lock on a table for as long as its
rows take to be looked at. CONTRIBUTING.md says how each change is made instead. SQL by hand that is
known to be safe, such as SET NOT NULL where a valid constraint says the same, has a line above it:
`-- squawk-ignore RULE`.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import django
import sqlparse
from django.contrib.postgres import operations as postgres
from django.db import connection, migrations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models import NOT_PROVIDED, Field, Value
from django.db.models.functions import Now

from dev.offline import ENVIRONMENT

type AnyField = Field[Any, Any]

# The last migration of each app from before there was this check.
GIVEN = {
    "accounts": 15,
    "common": 4,
    "deletion": 1,
    "events": 8,
    "exports": 1,
    "mail": 4,
    "media": 1,
    "moderation": 5,
    "pages": 8,
    "posts": 3,
    "search": 2,
}
# Operations that hold a lock for a moment, or none. An operation of neither list is refused.
BRIEF = (
    *(migrations.CreateModel, migrations.AlterModelOptions, migrations.AlterModelManagers),
    *(postgres.AddIndexConcurrently, postgres.RemoveIndexConcurrently, migrations.RenameIndex),
    *(postgres.AddConstraintNotValid, migrations.RemoveConstraint, migrations.AlterConstraint),
    *(postgres.CreateExtension, postgres.CreateCollation),
)
INSTEAD: dict[type[Operation], str] = {
    migrations.AddIndex: "AddIndexConcurrently",
    migrations.RemoveIndex: "RemoveIndexConcurrently",
    migrations.AddConstraint: "AddConstraintNotValid, and ValidateConstraint in the next "
    "migration; what is unique by CREATE UNIQUE INDEX CONCURRENTLY",
    migrations.RemoveField: "first in the state alone; the column in the release after",
    migrations.DeleteModel: "first in the state alone; the table in the release after",
    migrations.RenameField: "a new column, filled from the old one",
    migrations.RenameModel: "the old table, by db_table",
}
# Matters of style; time limits, which are a matter of who migrates; and the second half of taking
# something away, which only SQL by hand does.
OTHER_RULES = [
    *("prefer-robust-stmts", "prefer-bigint-over-int", "prefer-text-field"),
    *("require-lock-timeout", "require-statement-timeout"),
    *("ban-drop-column", "ban-drop-table", "ban-drop-not-null"),
]
# Statements of which squawk says nothing.
ALL_ROWS = {"UPDATE", "DELETE", "MERGE", "WITH"}
LOCKING = {"TRUNCATE", "LOCK", "VACUUM", "CLUSTER", "REFRESH"}


def main() -> int:
    os.environ |= {**ENVIRONMENT, "DJANGO_SETTINGS_MODULE": "innotter.config.settings"}
    django.setup()
    found = [f"{name}: {reason}" for name, reasons in new_ones() for reason in reasons]
    print("\n".join(found))
    return 1 if found else 0


def new_ones() -> Iterator[tuple[str, list[str]]]:
    """Each migration of ours that is not given, by `app.name`, with what is against it."""
    graph = MigrationLoader(None).graph
    state = ProjectState()
    for app, name in graph._generate_plan(graph.leaf_nodes(), at_end=True):
        migration = graph.nodes[app, name]
        ours = migration.__module__.startswith("innotter.")
        if ours and int(name[:4]) > GIVEN.get(app, 0):
            yield f"{app}.{name}", objections(migration, state)
        else:
            state = migration.mutate_state(state, preserve=False)


def objections(migration: Migration, state: ProjectState) -> list[str]:
    """What is against a migration. `state` is that before it, and becomes that after it."""
    return list(_against(Step(migration, state, set()), migration.operations))


@dataclass
class Step:
    migration: Migration
    state: ProjectState
    # The models that the migration makes: their tables have no rows, and nobody else knows them.
    made: set[str]

    def field(self, operation: migrations.AddField | migrations.AlterField) -> AnyField:
        model = self.state.apps.get_model(self.migration.app_label, operation.model_name)
        return cast("AnyField", model._meta.get_field(operation.name))

    def field_after(self, operation: migrations.AddField | migrations.AlterField) -> AnyField:
        after = self.state.clone()
        operation.state_forwards(self.migration.app_label, after)
        return replace(self, state=after).field(operation)


def _against(step: Step, operations: Sequence[Operation]) -> Iterator[str]:
    for operation in operations:
        for reason in _reasons(step, operation):
            yield f"{operation.describe()}: {reason}"
        if isinstance(operation, migrations.CreateModel):
            step.made.add(operation.name_lower)
        operation.state_forwards(step.migration.app_label, step.state)


def _reasons(step: Step, operation: Operation) -> Iterator[str]:
    if isinstance(operation, BRIEF) or getattr(operation, "model_name_lower", None) in step.made:
        return
    if rule := RULES.get(type(operation)):
        yield from rule(step, operation)
    else:
        yield INSTEAD.get(type(operation), "nobody has said that it is online")


def _of_database(step: Step, operation: migrations.SeparateDatabaseAndState) -> Iterator[str]:
    return _against(replace(step, state=step.state.clone()), operation.database_operations)


def _of_new_column(step: Step, operation: migrations.AddField) -> Iterator[str]:
    field = step.field_after(operation)
    default: object = field.db_default
    if field.many_to_many:
        return
    if default is NOT_PROVIDED and not (field.null or field.generated):
        yield "null=True or db_default=…: the version that still runs writes rows without it"
    if hasattr(default, "resolve_expression") and not isinstance(default, Value | Now):
        yield "a default that is computed for each row: null=True, and rows in steps"
    if default is not NOT_PROVIDED and _is_key(field):
        yield "a foreign key with a default looks at all rows: null=True"
    if field.generated and getattr(field, "db_persist", False):
        yield "a stored generated column writes the table anew: a column, and rows in steps"
    yield from _made_of_all_rows(field)


def _of_changed_column(step: Step, operation: migrations.AlterField) -> Iterator[str]:
    before, after = step.field(operation), step.field_after(operation)
    if not _holds(before, after):
        yield "another type writes the table anew: a new column, filled from the old one"
    if before.null and not after.null:
        yield "NOT NULL looks at all rows: first a valid CHECK that says the same, then by SQL"
    if _has_index(before) and not (before.unique or after.unique or _has_index(after)):
        yield "DROP INDEX CONCURRENTLY, beside the state"
    if _is_key(after) and not _is_key(before):
        yield "a foreign key looks at all rows: NOT VALID, and validated in the next migration"
    there = set(_made_of_all_rows(before))
    yield from (reason for reason in _made_of_all_rows(after) if reason not in there)


def _made_of_all_rows(field: AnyField) -> Iterator[str]:
    """What comes with a column."""
    if field.unique:
        yield "CREATE UNIQUE INDEX CONCURRENTLY in a migration of its own"
    elif _has_index(field):
        yield "db_index=False, and AddIndexConcurrently in a migration of its own"
    if field.db_check(connection):
        yield "its CHECK looks at all rows: AddConstraintNotValid, and ValidateConstraint later"


def _holds(before: AnyField, after: AnyField) -> bool:
    """Whether the rows may stay as they are: of the same type, or in one of more characters."""
    old, new = before.db_parameters(connection), after.db_parameters(connection)
    if old.get("collation") != new.get("collation"):
        return False
    text, longer = new["type"] == "text", (after.max_length or 0) >= (before.max_length or 0)
    was, varies = (str(type_["type"]).startswith("varchar(") for type_ in (old, new))
    return old["type"] == new["type"] or (was and (text or (varies and longer)))


def _has_index(field: AnyField) -> bool:
    return bool(getattr(field, "db_index", False))


def _is_key(field: AnyField) -> bool:
    return bool(field.remote_field and getattr(field, "db_constraint", False))


def _of_validation(step: Step, _: postgres.ValidateConstraint) -> Iterator[str]:
    if any(isinstance(each, migrations.AddConstraint) for each in step.migration.operations):
        yield "in the next migration: this one holds the lock of what it has added"


def _of_python(step: Step, _: migrations.RunPython) -> Iterator[str]:
    if step.migration.atomic:
        yield "atomic = False, and rows in steps of a transaction each, which may be repeated"


def _of_sql(_: Step, operation: migrations.RunSQL) -> Iterator[str]:
    given = [operation.sql] if isinstance(operation.sql, str) else operation.sql
    texts = (each if isinstance(each, str) else each[0].replace("%s", "NULL") for each in given)
    text = "\n".join(f"{each};" for each in texts)
    for statement in sqlparse.split(sqlparse.format(text, strip_comments=True)):
        word = statement.split()[0].upper()
        if word in ALL_ROWS:
            yield f"{word}: RunPython, with rows in steps of a transaction each"
        elif word in LOCKING:
            yield f"{word} keeps everybody else waiting"
    yield from _squawk(text)


def _squawk(text: str) -> Iterator[str]:
    program = Path(sys.executable).with_name("squawk")
    command = [str(program), "--reporter=json", "--pg-version=18", "--stdin-filepath=RunSQL"]
    command += [f"--exclude={rule}" for rule in OTHER_RULES]
    said = subprocess.run(command, input=text, capture_output=True, text=True, check=False).stdout
    for each in json.loads(said):
        yield f"{each['rule_name']}: {each['message']}"


RULES: dict[type[Operation], Callable[[Step, Any], Iterator[str]]] = {
    migrations.SeparateDatabaseAndState: _of_database,
    migrations.AddField: _of_new_column,
    migrations.AlterField: _of_changed_column,
    postgres.ValidateConstraint: _of_validation,
    migrations.RunPython: _of_python,
    migrations.RunSQL: _of_sql,
}


if __name__ == "__main__":
    sys.exit(main())
