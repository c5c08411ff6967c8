#!/usr/bin/env bash
# Makes a bundle that a host without a network is installed from:
#   provisioning/install/wheelhouse.sh DIR [PYTHON-VERSION...]     (by default 3.11 and 3.13)
# DIR then holds, checked against the lock: wheels/, locks/, web/, systemd/, provisioning/install/.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=${1:?a folder for the bundle}
shift
[ $# -gt 0 ] || set -- 3.11 3.13
python=${PYTHON:-.venv/bin/python}
fail() {
  echo "wheelhouse: $*" >&2
  exit 1
}
"$python" -c 'import hatchling, pip' || fail "hatchling and pip are needed: make setup-test"
[ -d node_modules/uplot/dist ] || fail "browser parts are missing: npm ci"
mkdir -p "$folder/wheels" "$folder/locks" "$folder/web"
folder=$(cd "$folder" && pwd)

for version in "$@"; do
  lock=$folder/locks/requirements-$version.txt
  "$python" provisioning/install/locked.py "$version" pyproject.toml requirements.lock \
    agent controller >"$lock.new"
  stamp=$folder/wheels/.complete-$version
  if [ "$(cat "$stamp" 2>/dev/null)" != "$(sha256sum <"$lock.new")" ]; then
    "$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
      --require-hashes --python-version "$version" --implementation cp \
      -r "$lock.new" -d "$folder/wheels"
    sha256sum <"$lock.new" >"$stamp"
  fi
  mv "$lock.new" "$lock"
done

built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
"$python" -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation \
  . -w "$built"
wheel=$(basename "$built"/*.whl)
version=$(echo "$wheel" | cut -d- -f2)
rm -f "$folder"/wheels/bitcoin_enterprise_suite-*.whl
mv "$built/$wheel" "$folder/wheels/"
digest=$(sha256sum "$folder/wheels/$wheel" | cut -d' ' -f1)
printf 'bitcoin-enterprise-suite==%s --hash=sha256:%s\n' "$version" "$digest" \
  >"$folder/locks/suite.txt"
printf '%s\n' "$version" >"$folder/VERSION"
rm -rf "$folder/web/uplot" "$folder/systemd" "$folder/provisioning"
mkdir -p "$folder/provisioning/install"
cp -r node_modules/uplot/dist "$folder/web/uplot"
cp -r systemd "$folder/systemd"
cp provisioning/install/*.sh "$folder/provisioning/install/"
echo "wheelhouse: version $version for Python $*: $folder"
