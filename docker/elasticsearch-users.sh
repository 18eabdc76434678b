#!/bin/bash
# Sets the password of Kibana's built-in user and creates the user newswatch with only the privileges it needs. Safe to
# repeat; repeat it after changing .env. Run in Elasticsearch's image, which has curl.
set -euo pipefail

url=${ELASTICSEARCH_URL:-https://elasticsearch:9200}

# The passwords are written into JSON and URLs unescaped, here and in docker-compose.yml.
for name in ELASTIC_PASSWORD KIBANA_PASSWORD NEWSWATCH_ELASTICSEARCH_PASSWORD; do
  if [[ ! ${!name:-} =~ ^[A-Za-z0-9]{8,}$ ]]; then
    echo "$name in .env must be eight or more letters and digits." >&2
    exit 1
  fi
done

call() { # METHOD PATH JSON
  local answer
  answer=$(curl -sS --cacert "${ELASTICSEARCH_CA_CERTS:-/ca/ca.crt}" -u "elastic:$ELASTIC_PASSWORD" \
    -X "$1" -H 'Content-Type: application/json' -d "$3" -w '\n%{http_code}' "$url/$2")
  if [ "${answer##*$'\n'}" != 200 ]; then
    echo "$1 $2 was refused: $answer" >&2
    exit 1
  fi
}

call POST _security/user/kibana_system/_password "{\"password\": \"$KIBANA_PASSWORD\"}"

# The indices of newswatch (store/names.py), their templates, and the cluster's health.
call PUT _security/role/newswatch '{
  "cluster": ["monitor", "manage_index_templates", "cluster:admin/repository/*", "cluster:admin/snapshot/*"],
  "indices": [{
    "names": ["articles", "articles-*", "entries", "feeds", "batches", "saved-searches", "deliveries", "outcomes", "rechecks",
              "mailboxes", "subscribers", "labels", "notices", "quarantine", "pulse", "outages", "configuration", "readers",
              "lane", "keys", "audit", "audit-2*", "imports", "milestones", "months", "drill-*"],
    "privileges": ["all"]
  }]
}'

call PUT _security/user/newswatch \
  "{\"password\": \"$NEWSWATCH_ELASTICSEARCH_PASSWORD\", \"roles\": [\"newswatch\"], \"full_name\": \"newswatch\"}"

echo "The users exist."
