#!/bin/sh
# Fills the empty database at DATABASE_URL with what backup.sh has written: all of it or nothing.
#   DATABASE_URL=postgresql://… sh deploy/restore.sh FILE
# docs/operations.md says what to do before and after.
set -eu

file="$1"
query="SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
if [ "$(psql --dbname="$DATABASE_URL" --no-psqlrc --tuples-only --no-align --command="$query")" != 0 ]
then
  echo "This database is not empty: nothing was restored." >&2
  exit 1
fi
pg_restore --dbname="$DATABASE_URL" --no-owner --no-privileges --single-transaction --exit-on-error \
  "$file"
# Without statistics of its own the planner chooses badly at first.
psql --dbname="$DATABASE_URL" --no-psqlrc --quiet --command="ANALYZE"
echo "Restored from $file."
