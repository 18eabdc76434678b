#!/bin/sh
# Prints .env.example with a random value for every secret that is empty there:  sh docker/make-env.sh > .env
set -eu
umask 077

hex() { od -An -vtx1 -N "$1" /dev/urandom | tr -d ' \n'; }

while IFS= read -r line; do
  case $line in
    AIRFLOW_FERNET_KEY=) # 32 bytes in URL-safe Base64
      printf '%s%s\n' "$line" "$(head -c 32 /dev/urandom | base64 | tr '+/' '-_')" ;;
    [A-Z]*=) printf '%s%s\n' "$line" "$(hex 32)" ;;
    *) printf '%s\n' "$line" ;;
  esac
done < "$(dirname "$0")/../.env.example"
