#!/bin/sh
# Puts the files of analysts where they are missing, and renews a taxonomy that nobody has changed (docs/debian.md).
#
#   sh deploy/debian/files.sh /etc/newswatch /opt/newswatch/config-as-shipped
#
# The second folder has them as they came, by which the next update tells what was changed.
set -eu
cd "$(dirname "$0")/../.."
settings=$1
shipped=$2

put() {
  if [ "$(id -u)" = 0 ]; then
    install -o root -g newswatch -m 0640 "$1" "$2"
  else
    install -m 0640 "$1" "$2"
  fi
}

mkdir -p "$shipped"
for name in feeds.yaml alerts.yaml taxonomy.yaml; do
  [ -e "$settings/$name" ] || put "config/$name" "$settings/$name"
done

# Feeds and saved searches are the host's own. An old taxonomy would tag as before the update, and nobody would know.
mine=$settings/taxonomy.yaml
if cmp -s config/taxonomy.yaml "$shipped/taxonomy.yaml" || cmp -s config/taxonomy.yaml "$mine"; then
  :
elif cmp -s "$shipped/taxonomy.yaml" "$mine"; then
  put config/taxonomy.yaml "$mine"
  echo "$mine is the new one. Once newswatch runs again: newswatch retag"
else
  [ ! -e "$shipped/taxonomy.yaml" ] || cp "$shipped/taxonomy.yaml" "$shipped/taxonomy.yaml.before"
  echo "$mine has changes of your own and is left as it is: put in what is new in $shipped/taxonomy.yaml" \
    "(before: $shipped/taxonomy.yaml.before), then: newswatch config check, newswatch retag" >&2
fi
install -m 0644 config/taxonomy.yaml "$shipped/taxonomy.yaml"
