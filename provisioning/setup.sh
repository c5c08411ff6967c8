#!/usr/bin/env bash
# Sets up a checkout: Debian packages, the virtual environment in .venv, the browser parts.
# Installs what is missing, or names it and stops. Safe to run again; quick when nothing changed.
#   provisioning/setup.sh demo   what `bes demo` needs
#   provisioning/setup.sh test   that, and what the tests need
set -euo pipefail
cd "$(dirname "$0")/.."
purpose=${1:?demo or test}

fail() {
  echo "setup: $*" >&2
  exit 1
}

missing_packages() {
  command -v mosquitto >/dev/null || [ -x /usr/sbin/mosquitto ] || echo mosquitto
  command -v npm >/dev/null || echo npm
  "$python" -c 'import ensurepip' 2>/dev/null || echo python3-venv
  if [ "$purpose" = test ]; then
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || echo postgresql
    command -v chromium >/dev/null || echo chromium
    command -v faketime >/dev/null || echo faketime
    command -v shellcheck >/dev/null || echo shellcheck
    # Booting the shipped units: tests/systemd.
    command -v debootstrap >/dev/null || [ -x /usr/sbin/debootstrap ] || echo debootstrap
    command -v systemd-nspawn >/dev/null || echo systemd-container
    command -v systemd-analyze >/dev/null || echo systemd
  fi
}

install_packages() {
  local missing
  missing=$(missing_packages | tr '\n' ' ')
  [ -n "${missing// /}" ] || return 0
  command -v apt-get >/dev/null || fail "please install: $missing"
  [ "$(id -u)" = 0 ] || fail "please run as root: apt-get install $missing"
  echo "setup: installing Debian packages: $missing"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # shellcheck disable=SC2086 # a list of package names
  apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

install_python() {
  local stamp=.venv/.installed wanted
  wanted=$(cat requirements.lock pyproject.toml | sha256sum)
  [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || return 0
  echo "setup: installing Python packages into .venv"
  [ -x .venv/bin/python ] || "$python" -m venv .venv
  .venv/bin/pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
  .venv/bin/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
  echo "$wanted" >"$stamp"
}

install_browser_parts() {
  local stamp=node_modules/.installed wanted
  wanted=$(sha256sum <package-lock.json)
  [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || return 0
  echo "setup: installing browser parts into node_modules"
  npm ci --silent
  echo "$wanted" >"$stamp"
}

python=${PYTHON:-python3}
command -v "$python" >/dev/null || fail "no $python; Python 3.11 or later is needed"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "$("$python" --version) is too old; Python 3.11 or later is needed"
install_packages
install_python
install_browser_parts
