"""`make migration ARGS="pages page_website"`: writes the migration of changed models of one app.

It is named by its topic, needs no database, and what `make check` will have against it is said.
"""

import os
import re
import sys
import warnings

from dev.offline import ENVIRONMENT
from dev.paths import ROOT

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

    from dev import online_migrations  # noqa: PLC0415

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
    reasons = dict(online_migrations.new_ones())
    for file in written:
        print(file.relative_to(ROOT))
        for reason in reasons[f"{app}.{file.stem}"]:
            print(f"  {reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
