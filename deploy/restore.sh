#!/bin/sh
# Fills the empty database at DATABASE_URL, or past a pooler at DATABASE_DIRECT_URL, with what
# backup.sh has written: all of it or nothing.
#   DATABASE_URL=postgresql://… sh deploy/restore.sh FILE
# docs/operations.md says what to do before and after.
set -eu

fail() { echo "$1 Nothing was restored." >&2; exit 1; }
ask() { psql --dbname="$DATABASE_URL" --no-psqlrc --quiet --tuples-only --no-align --command="$1"; }

[ $# = 1 ] || fail "Usage: DATABASE_URL=postgresql://… sh restore.sh FILE."
DATABASE_URL="${DATABASE_DIRECT_URL:-${DATABASE_URL:-}}"
[ -n "$DATABASE_URL" ] || fail "DATABASE_URL is not set."
file="$1"
[ -r "$file" ] || fail "$file cannot be read."
tables=$(ask "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") || fail "No database."
[ "$tables" = 0 ] || fail "This database is not empty."
pg_restore --dbname="$DATABASE_URL" --no-owner --no-privileges --single-transaction --exit-on-error \
  "$file" || fail "The file does not fit."
# Without statistics of its own the planner chooses badly at first.
ask "ANALYZE"
echo "Restored from $file."
