#!/bin/sh
# Writes the .env that compose.yaml reads, with new random secrets.
#   sh deploy/make-env.sh                                to try Innotter out, at localhost:8000
#   sh deploy/make-env.sh https://innotter.example.com   for production, with AWS itself
# An existing .env is never changed.
set -eu
# Letters are those of ASCII.
export LC_ALL=C

file="$(dirname "$0")/../.env"
if [ -e "$file" ]; then
  echo ".env exists already and was left unchanged." >&2
  exit 1
fi
random() { od -An -tx1 -N32 /dev/urandom | tr -d ' \n'; }

umask 077
if [ $# -eq 0 ]; then
  cat > "$file" <<END
COMPOSE_PROFILES=local
INNOTTER_ENV=development
LOG_STYLE=console
PUBLIC_URL=http://localhost:8000
PUBLIC_HOST=localhost
PUBLIC_PORT=8000
EMULATOR_URL=http://ministack:4566
PUBLIC_MEDIA_URL=http://localhost:4566/innotter-media
PUBLIC_S3_URL=http://localhost:4566
AWS_ACCESS_KEY_ID=test
AWS_SECRET_ACCESS_KEY=test
END
else
  url=$(printf %s "$*" | tr A-Z a-z)
  host=${url#https://}
  case $host in
    "$url" | "" | *[!a-z0-9.-]* | [.-]* | *[.-] | *..*)
      echo "The URL must be https:// and a host in ASCII (xn--…) and nothing else." >&2
      exit 2 ;;
  esac
  cat > "$file" <<END
INNOTTER_ENV=production
PUBLIC_URL=https://$host
PUBLIC_HOST=$host
PUBLIC_PORT=443
# Say which AWS. Where the machine has a role, the two keys are not needed.
AWS_DEFAULT_REGION=
AWS_ACCESS_KEY_ID=
AWS_SECRET_ACCESS_KEY=
MAIL_FROM=
MEDIA_BUCKET=
EXPORT_BUCKET=
# The CDN in front of that bucket: docs/images.md.
PUBLIC_MEDIA_URL=
STATISTICS_TABLE=
END
fi
cat >> "$file" <<END
SECRET_KEY=$(random)$(random)
POSTGRES_PASSWORD=$(random)
RABBITMQ_PASSWORD=$(random)
END
echo "Wrote .env; now: docker compose up"
