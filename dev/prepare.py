"""`python -m dev.prepare queues` or `aws`: what has to be there before the processes start, at the
AMQP_URL and the AWS_ENDPOINT_URL of the environment. May be repeated; ends with one line where it
can't."""

import os
import sys
from collections.abc import Callable

from amqp.exceptions import AMQPError
from botocore.exceptions import BotoCoreError, ClientError

from dev.aws import prepare_aws
from dev.errors import Failed
from dev.topology import declare_topology

WORK: dict[str, Callable[[], None]] = {
    "queues": lambda: declare_topology(os.environ["AMQP_URL"]),
    "aws": lambda: prepare_aws(os.environ),
}


def main(words: list[str]) -> int:
    try:
        [work] = [WORK[word] for word in words]
    except (KeyError, ValueError):
        print(f"{' or '.join(WORK)}, not {' '.join(words)!r}", file=sys.stderr)
        return 2
    try:
        work()
    except KeyError as variable:
        print(f"{variable.args[0]} must be set", file=sys.stderr)
    except ValueError as error:
        # Of a URL, whose password it doesn't show.
        print(f"AMQP_URL {error}", file=sys.stderr)
    except (AMQPError, BotoCoreError, ClientError, Failed) as error:
        print(" ".join(str(error).split()), file=sys.stderr)
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
