"""The code that the authenticator app of a demo account shows now: `python -m dev.totp`.

Another secret, as a set-up shows it, may be given. A code is good for half a minute, and once.
"""

import sys

import pyotp

from dev.demo import TOTP_SECRET


def main(words: list[str]) -> None:
    secret = "".join(words).replace(" ", "") or TOTP_SECRET
    print(pyotp.TOTP(secret).now())


if __name__ == "__main__":
    main(sys.argv[1:])
