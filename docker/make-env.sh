#!/bin/sh
# Writes .env: .env.example (or TEMPLATE) with a random value for every secret that is empty there, and who runs the
# containers.
#
#   sh docker/make-env.sh [FILE [TEMPLATE]]
#
# Only its owner may read the file. One that exists is left alone: its secrets are those of the data.
set -eu
umask 077

here=$(dirname "$0")/..
file=${1:-$here/.env}
template=${2:-$here/.env.example}

hex() { od -An -vtx1 -N "$1" /dev/urandom | tr -d ' \n'; }

filled_in() {
  while IFS= read -r line; do
    case $line in
      *FERNET_KEY=) # 32 bytes in URL-safe Base64
        printf '%s%s\n' "$line" "$(head -c 32 /dev/urandom | base64 | tr '+/' '-_')" ;;
      CONTAINER_UID=*) printf 'CONTAINER_UID=%s\n' "$uid" ;;
      [A-Z]*=) printf '%s%s\n' "$line" "$(hex 32)" ;;
      *) printf '%s\n' "$line" ;;
    esac
  done < "$template"
}

# Whoever runs this can read the configuration, so the containers run as the same user. They are never run as root, who
# could read everything: then the configuration must be readable for the image's own user.
uid=$(id -u)
[ "$uid" != 0 ] || uid=50000

if [ -e "$file" ] || [ -L "$file" ]; then
  echo "$file exists, and is left as it is: its secrets are those of your data. Add what $template has more by hand," >&2
  echo "or name another file: sh docker/make-env.sh FILE" >&2
  exit 1
fi
# First aside, so that a full disk leaves no half a file; the link fails if another run was faster.
aside=$(mktemp "$file.XXXXXX")
trap 'rm -f "$aside"' EXIT
filled_in > "$aside"
ln "$aside" "$file"
next=
[ -n "${2:-}" ] || next=" Next: docker compose up -d"
echo "$file is written, for you alone to read.$next"
