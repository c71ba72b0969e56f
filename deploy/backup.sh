#!/bin/sh
# Writes the whole database at DATABASE_URL to a file that restore.sh reads.
#   DATABASE_URL=postgresql://… sh deploy/backup.sh FILE
# One consistent moment; nobody has to stop meanwhile. The file is there only when it is whole.
# Needs pg_dump of the server's version or newer.
set -eu

file="$1"
umask 077
pg_dump --dbname="$DATABASE_URL" --format=custom --no-owner --no-privileges --file="$file.part"
# An incomplete file never has the final name.
pg_restore --file=/dev/null "$file.part"
mv "$file.part" "$file"
echo "$file: $(wc -c < "$file") bytes"
