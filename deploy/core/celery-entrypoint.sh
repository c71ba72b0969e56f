#!/bin/sh
# Celery's processes. `exec` makes each the one that gets the signals.
#   worker QUEUE     does what waits in a queue, WORKER_PROCESSES at a time
#   scheduler        says when housekeeping is due; there may be only one
set -eu

case "${1:-}" in
  worker)
    # Its processes add up what they count here: in memory, which nothing else fills.
    PROMETHEUS_MULTIPROC_DIR=$(mktemp -d /dev/shm/metrics.XXXXXX)
    export PROMETHEUS_MULTIPROC_DIR
    exec celery --quiet -A innotter.config worker \
      --queues "$2" --concurrency "${WORKER_PROCESSES:-2}"
    ;;
  scheduler)
    exec celery --quiet -A innotter.config beat --scheduler innotter.config.scheduler:Scheduler
    ;;
  *)
    echo "worker QUEUE or scheduler, not '$*'" >&2
    exit 2
    ;;
esac
