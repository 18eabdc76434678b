#!/bin/sh
# Installs newswatch from this checkout on a Debian host, or updates it (docs/debian.md). Run by root.
#
#   sh deploy/debian/install.sh
#
# What is in /etc/newswatch is left as it is, but a taxonomy that nobody changed; what is missing there is added.
set -eu
umask 022

cd "$(dirname "$0")/../.."
programs=/opt/newswatch
settings=/etc/newswatch
home=/var/lib/newswatch

[ "$(id -u)" = 0 ] || { echo "Run this as root." >&2; exit 1; }
getent passwd newswatch > /dev/null || { echo "There is no user newswatch: docs/debian.md says how to make it." >&2; exit 1; }
# Debian's own: one of root's (pyenv, conda) the services could not run.
python=${PYTHON:-/usr/bin/python3}
"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || {
  echo "newswatch needs Python 3.11, 3.12 or 3.13: PYTHON=/usr/bin/python3.13 sh deploy/debian/install.sh" >&2
  exit 1
}

# ── the programs ──
[ -x $programs/bin/python ] || "$python" -m venv $programs
[ -x $programs/bin/uv ] || $programs/bin/pip install --quiet --disable-pip-version-check uv
runuser -u newswatch -- $programs/bin/python -c "" || {
  echo "The user newswatch can't run $programs/bin/python: remove $programs, and name a Python in a folder that all may enter." >&2
  exit 1
}
echo "Installing the locked dependencies into $programs …"
# One is compiled, for log-ins by LDAP. What compiles it and builds newswatch is locked as well.
$programs/bin/uv pip install --quiet --python $programs/bin/python --require-hashes --build-constraints requirements-dev.lock \
  --only-binary :all: --no-binary python-ldap -r requirements.lock
built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
$programs/bin/uv build --quiet --wheel --build-constraints requirements-dev.lock --require-hashes --out-dir "$built" .
$programs/bin/uv pip install --quiet --python $programs/bin/python --no-deps --force-reinstall "$built"/newswatch-*.whl
# Settings name its files by a path that has no version of Python in it.
ln -sfn "$($programs/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" $programs/packages

# ── the commands and the services ──
install -m 0755 deploy/debian/command.py /usr/local/sbin/newswatch
ln -sfn newswatch /usr/local/sbin/airflow
install -d /etc/systemd/system
install -m 0644 deploy/debian/systemd/* /etc/systemd/system/
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
fi

# ── the settings and the data ──
install -d -o root -g newswatch -m 0750 $settings
install -d -o newswatch -g newswatch -m 0700 $home
sh deploy/debian/files.sh $settings $programs/config-as-shipped
[ -e $settings/environment ] || sh docker/make-env.sh $settings/environment deploy/debian/environment.example
echo "newswatch is installed. Next: docs/debian.md, or after an update: systemctl restart newswatch.target newswatch-watch"
