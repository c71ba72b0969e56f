"""`python -m innotter_stats.openapi` prints the API's document: the same for the same code."""

import json
import sys

from innotter_stats.api import create_app
from innotter_stats.settings import Settings


def main() -> None:
    document = create_app(Settings()).openapi()
    json.dump(document, sys.stdout, indent=2, sort_keys=True, ensure_ascii=False)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
