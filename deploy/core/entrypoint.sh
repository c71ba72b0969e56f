#!/bin/sh
# Django's processes. `exec` makes each the one that gets the signals.
#   api              the core API, at 8000; its metrics, at METRICS_PORT
#   relay            events from the outbox to RabbitMQ
#   migrate, …       any other command of manage.py
set -eu

if [ "${1:-api}" != api ]; then
  exec python manage.py "$@"
fi
# Its processes add up what they count here: in memory, which nothing else fills.
PROMETHEUS_MULTIPROC_DIR=$(mktemp -d /dev/shm/metrics.XXXXXX)
export PROMETHEUS_MULTIPROC_DIR
exec python manage.py serve --host 0.0.0.0
