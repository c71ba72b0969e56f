#!/bin/sh
# The processes of statistics. `exec` makes each the one that gets the signals.
#   api              the statistics API, at 8001
#   consumer         counts what waits in the queue
set -eu

case "${1:-api}" in
  api)
    # After SIGTERM it takes no new request and finishes those that it has.
    exec uvicorn innotter_stats.api:app --http innotter_stats.server:Protocol \
      --host 0.0.0.0 --port 8001 --timeout-graceful-shutdown 25 --no-server-header
    ;;
  consumer)
    exec python -m innotter_stats.consumer
    ;;
  *)
    echo "api or consumer, not '$*'" >&2
    exit 2
    ;;
esac
