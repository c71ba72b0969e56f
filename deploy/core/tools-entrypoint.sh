#!/bin/sh
# What has to be there before the processes start; each may be repeated.
#   queues           declares exchange, queues and bindings at AMQP_URL
#   aws              makes bucket, sender and table in the emulator
#   demo             fills an empty database with the demo data
#   manage COMMAND   a command of Django's that asks the statistics service too
set -eu

case "${1:-}" in
  queues | aws) exec python -m dev.prepare "$1" ;;
  demo) exec python -m dev.demo --if-empty ;;
  manage) shift; exec python manage.py "$@" ;;
  *)
    echo "queues, aws, demo or manage, not '$*'" >&2
    exit 2
    ;;
esac
