"""Ends well when a GET of the address that it is given does. The images have no curl."""

import sys
import urllib.request

urllib.request.urlopen(sys.argv[1], timeout=4)  # noqa: S310 (our own address)
