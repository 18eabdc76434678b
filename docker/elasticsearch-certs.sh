#!/bin/bash
# Makes the certificate that Elasticsearch answers with, once, signed by an authority of its own. Run as root in
# Elasticsearch's image, which has the tool.
#
#   /certs  the node's key and certificate, for Elasticsearch alone (its group is 0)
#   /ca     the authority's certificate, for everyone who calls Elasticsearch
#   /backups  where Elasticsearch keeps snapshots
#
# The authority's key is thrown away, so that nobody can sign another certificate with it. To renew (the node's
# certificate lasts three years), remove both volumes and start again.
set -euo pipefail
umask 027

# A new volume is root's alone; Elasticsearch is in its group.
chmod 770 /backups

if [ -s /certs/elasticsearch.key ] && [ -s /certs/elasticsearch.crt ] && [ -s /ca/ca.crt ]; then
  echo "The certificate exists already."
  exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

elasticsearch-certutil ca --silent --pem --days 3650 --out "$work/ca.zip"
unzip -q "$work/ca.zip" -d "$work"
elasticsearch-certutil cert --silent --pem --days 1095 --name elasticsearch \
  --dns elasticsearch,localhost --ip 127.0.0.1 \
  --ca-cert "$work/ca/ca.crt" --ca-key "$work/ca/ca.key" --out "$work/node.zip"
unzip -q "$work/node.zip" -d "$work"

chmod 755 /ca
cp "$work/elasticsearch/elasticsearch.crt" "$work/elasticsearch/elasticsearch.key" /certs/
cp "$work/ca/ca.crt" /ca/
chmod 640 /certs/elasticsearch.crt /certs/elasticsearch.key
chmod 644 /ca/ca.crt
echo "The certificate is made."
