#!/bin/sh
# A command of manage.py. `exec` makes it the one that gets the signals.
#   run ROLE…        the API at 8000, the relay, Celery's; one process, or several that it forks
#   migrate, …       any other
set -eu

if [ "${1:-}" = run ]; then
  # The processes of the API add up what they count here: in memory, which nothing else fills.
  PROMETHEUS_MULTIPROC_DIR=$(mktemp -d /dev/shm/metrics.XXXXXX)
  export PROMETHEUS_MULTIPROC_DIR
  set -- "$@" --host 0.0.0.0
fi
exec python manage.py "$@"
