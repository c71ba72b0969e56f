"""Exits with 0 when a GET of the given URL succeeds. The images have no curl."""

import sys
import urllib.request

urllib.request.urlopen(sys.argv[1], timeout=4)  # noqa: S310 (our own URL)
