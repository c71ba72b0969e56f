"""`python -m dev.demo`: creates the demo data in an empty database that has been migrated.

With `--if-empty` existing users are no failure.
"""

import os
import sys
from datetime import UTC, datetime

import django


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "innotter.config.settings")
    django.setup()
    # They need Django's apps.
    from dev.demo.data import NotEmpty, Refused, create_demo_data  # noqa: PLC0415
    from dev.demo.pictures import give_pictures  # noqa: PLC0415

    try:
        print(f"{create_demo_data(datetime.now(UTC))}; {give_pictures()}")
    except NotEmpty as refused:
        print(refused, file=sys.stderr)
        return 0 if "--if-empty" in sys.argv else 1
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
