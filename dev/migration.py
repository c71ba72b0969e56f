"""`make migration ARGS="pages page_website"`: writes the migration of changed models of one app.

It is named by its topic, needs no database, and what the version that still runs could not live
with is said.
"""

import os
import re
import sys
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING

from dev.offline import ENVIRONMENT
from dev.paths import ROOT

if TYPE_CHECKING:
    from django.db.migrations.operations.base import Operation

USAGE = 'make migration ARGS="APP TOPIC", for example ARGS="pages page_website"'


def main(words: list[str]) -> int:
    if len(words) != 2 or not re.fullmatch(r"[a-z][a-z0-9_]+", words[1]):
        print(f"{USAGE}; the topic is a word of a-z, 0-9 and _.", file=sys.stderr)
        return 2
    app, topic = words
    os.environ |= {**ENVIRONMENT, "DJANGO_SETTINGS_MODULE": "innotter.config.settings"}
    return write(app, topic)


def write(app: str, topic: str) -> int:
    # Django's own, once the environment is there.
    import django  # noqa: PLC0415
    from django.core.management import CommandError, call_command  # noqa: PLC0415
    from django.db.migrations.loader import MigrationLoader  # noqa: PLC0415

    django.setup()
    folder = ROOT / "core" / "innotter" / app / "migrations"
    if not folder.is_dir():
        apps = sorted(each.parent.name for each in folder.parents[1].glob("*/migrations"))
        print(f"There is no app {app} with models; there are: {', '.join(apps)}.", file=sys.stderr)
        return 2
    before = set(folder.glob("*.py"))
    # There is no database to compare the history with.
    warnings.simplefilter("ignore", RuntimeWarning)
    try:
        call_command("makemigrations", app, name=topic, interactive=False, verbosity=0)
    except (CommandError, SystemExit):
        print(
            "A new column that may not be NULL needs a default: db_default=… of the field, so that "
            "the version that still runs can write rows without it.",
            file=sys.stderr,
        )
        return 1
    written = sorted(set(folder.glob("*.py")) - before)
    if not written:
        print(f"The models of {app} say nothing that its migrations don't.", file=sys.stderr)
        return 1
    loader = MigrationLoader(None)
    for file in written:
        print(file.relative_to(ROOT))
        for reason in breaking(loader.disk_migrations[app, file.stem].operations):
            print(f"  {reason}")
    return 0


def breaking(operations: Iterable["Operation"]) -> list[str]:
    """What the version that still runs, while the next one is deployed, would fail over."""
    from django.db import migrations as ops  # noqa: PLC0415
    from django.db.models import NOT_PROVIDED  # noqa: PLC0415

    found = []
    for operation in operations:
        match operation:
            case ops.AddField(name=name, field=field) if not (field.null or field.many_to_many):
                if field.db_default is NOT_PROVIDED:
                    found.append(
                        f"{operation.model_name}.{name}: the version that still runs writes rows "
                        "without it; give it null=True or db_default=…"
                    )
            case ops.RemoveField() | ops.RenameField() | ops.RenameModel() | ops.DeleteModel():
                found.append(
                    f"{operation.describe()}: the version that still runs reads it; "
                    "this belongs in the one after a version that doesn't"
                )
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
