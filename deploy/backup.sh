#!/bin/sh
# Writes the whole database at DATABASE_URL, or past a pooler at DATABASE_DIRECT_URL, to a file that
# restore.sh reads.
#   DATABASE_URL=postgresql://… sh deploy/backup.sh FILE
# One consistent moment; nobody has to stop meanwhile. The file is there only when it is whole.
# Needs psql, and pg_dump of the server's version or newer.
set -eu

fail() { echo "$1 Nothing was written." >&2; exit 1; }

[ $# = 1 ] || fail "Usage: DATABASE_URL=postgresql://… sh backup.sh FILE."
DATABASE_URL="${DATABASE_DIRECT_URL:-${DATABASE_URL:-}}"
[ -n "$DATABASE_URL" ] || fail "DATABASE_URL is not set."
file="$1"
server=$(psql --dbname="$DATABASE_URL" --no-psqlrc --tuples-only --no-align \
  --command="SELECT current_setting('server_version_num')::int / 10000") || fail "No database."
tool=$(pg_dump --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
[ "$tool" -ge "$server" ] || fail "pg_dump is of version $tool, and the server of $server."

umask 077
part="$file.part"
trap 'rm -f "$part"' EXIT
trap 'exit 1' HUP INT TERM
pg_dump --dbname="$DATABASE_URL" --format=custom --no-owner --no-privileges --file="$part"
# An incomplete file never has the final name.
pg_restore --file=/dev/null "$part"
mv "$part" "$file"
echo "$file: $(wc -c < "$file") bytes"
