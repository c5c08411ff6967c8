# shellcheck shell=bash
# What both installers share; sourced by them, never run. Every step looks before it acts, so that a
# second run changes nothing, and says so. The installer sets these before it sources this.
: "${me:?}" "${use_index:?}" "${purge_data:?}"

OPT=/opt/bes
ETC=/etc/bes
DATA=/var/lib/bes
UNITS=/etc/systemd/system
USER_NAME=bes
HEALTHY_WITHIN_S=60
SETTLES_S=5
MOST_RESTARTS=6
changed=0

say() { printf '%s: %s\n' "$me" "$*"; }
did() {
  changed=$((changed + 1))
  say "$*"
}
fail() {
  printf '%s: %s\n' "$me" "$*" >&2
  exit 1
}
finish() {
  [ "$changed" -gt 0 ] || say "nothing to change"
}

check_host() {
  [ "$(id -u)" = 0 ] || fail "please run as root"
  [ -d /run/systemd/system ] || fail "systemd does not run here"
  local id version
  id=$(. /etc/os-release && echo "$ID")
  version=$(. /etc/os-release && echo "$VERSION_ID")
  case "$id-$version" in
    debian-12 | debian-13) ;;
    ubuntu-24.04) say "Ubuntu 24.04 is intended and untested" ;;
    *) fail "this is $id $version (allowed: Debian 12 and 13, Ubuntu 24.04)" ;;
  esac
  python=$(command -v python3 || true)
  [ -n "$python" ] || fail "no python3: apt-get install python3 python3-venv"
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$("$python" --version) is too old (allowed: 3.11 and later)"
  "$python" -c 'import ensurepip, venv' 2>/dev/null || fail "apt-get install python3-venv"
}

# A bundle is what wheelhouse.sh makes; by default the one that this script lies in.
find_bundle() {
  bundle=${bundle:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
  [ -f "$bundle/VERSION" ] || fail "$bundle is no bundle of wheelhouse.sh: give --wheelhouse DIR"
  version=$(cat "$bundle/VERSION")
  [[ $version =~ ^[0-9][0-9A-Za-z.+!-]*$ ]] || fail "$bundle/VERSION is no version: $version"
  release=$OPT/releases/$version
}

ensure_user() {
  getent passwd "$USER_NAME" >/dev/null && return
  useradd --system --user-group --home-dir "$DATA" --no-create-home --shell /usr/sbin/nologin \
    "$USER_NAME"
  did "made the system user $USER_NAME"
}

ensure_folder() { # PATH MODE OWNER
  if [ -d "$1" ] && [ "$(stat -c '%a %U' "$1")" = "$2 $3" ]; then return; fi
  install -d -m "$2" -o "$3" -g "$3" "$1"
  did "made $1"
}

ensure_file() { # FROM TO: installed when it differs
  cmp -s "$1" "$2" && return
  install -D -m 0644 "$1" "$2"
  did "wrote $2"
}

# A release is complete once its stamp is there; a half-made one is made anew. pip checks every file
# against the lock's hashes; with --index it fetches them, else it takes no more than the bundle.
install_release() { # EXTRA...
  local lock="" from=(--no-index --find-links "$bundle/wheels") pip
  local stamp=$release/.complete
  if [ -f "$stamp" ]; then
    cmp -s "$bundle/locks/suite.txt" "$stamp" ||
      fail "$version is installed here with other content: a new release wants a new version"
    return 0
  fi
  lock=$bundle/locks/requirements-$("$python" -c \
    'import sys; print("%d.%d" % sys.version_info[:2])').txt
  [ -f "$lock" ] || fail "the bundle has nothing for $("$python" --version)"
  [ "$use_index" = no ] || from=(--find-links "$bundle/wheels")
  say "installing $version"
  rm -rf "$release"
  install -d -m 0755 "$OPT" "$OPT/releases"
  "$python" -m venv "$release"
  pip=("$release/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile)
  "${pip[@]}" "${from[@]}" --no-deps --require-hashes --only-binary :all: -r "$lock"
  "${pip[@]}" --no-index --find-links "$bundle/wheels" --no-deps --require-hashes \
    -r "$bundle/locks/suite.txt"
  "$release/bin/python" -m compileall -q "$release/lib" >/dev/null || true
  mkdir -p "$release/web"
  cp -r "$bundle/web/uplot" "$release/web/uplot"
  cp -r "$bundle/systemd" "$release/systemd"
  install -D -m 0755 -t "$release/install" "$bundle"/provisioning/install/*.sh
  cp "$bundle/locks/suite.txt" "$stamp"
  did "installed $version into $release"
}

activate() { # RELEASE: one rename, so that there is always a whole one
  [ "$(readlink "$OPT/current" 2>/dev/null)" = "$1" ] && return
  ln -sfn "$1" "$OPT/current.new"
  mv -T "$OPT/current.new" "$OPT/current"
  did "current is $1"
}

install_units() { # RELEASE
  local before=$changed file name unit
  while IFS= read -r file; do
    name=${file#"$1/systemd/"}
    case $name in since-254/*) continue ;; esac
    ensure_file "$file" "$UNITS/$name"
  done < <(find "$1/systemd" -type f | sort)
  if [ "$(systemctl --version | awk 'NR == 1 { print int($2) }')" -ge 254 ]; then
    for unit in bes-agent@ bes-controller; do
      ensure_file "$1/systemd/since-254/backoff.conf" "$UNITS/$unit.service.d/backoff.conf"
    done
  fi
  ensure_link "$OPT/current/bin/bes" /usr/local/bin/bes
  [ "$changed" = "$before" ] || systemctl daemon-reload
}

ensure_link() { # TARGET LINK
  [ "$(readlink "$2" 2>/dev/null)" = "$1" ] && return
  [ ! -e "$2" ] || fail "$2 is there and is not ours"
  ln -s "$1" "$2"
  did "linked $2"
}

ensure_started() { # UNIT...
  local unit
  for unit in "$@"; do
    if ! systemctl is-enabled --quiet "$unit"; then
      systemctl enable --quiet "$unit"
      did "enabled $unit"
    fi
    if ! systemctl is-active --quiet "$unit"; then
      systemctl --no-block start "$unit"
      did "started $unit"
    fi
  done
}

# Ready is what the unit itself says (Type=notify), and that it stays up for a moment.
is_healthy() { # UNIT SECONDS
  local end=$((SECONDS + $2)) since="" pid="" now
  while [ "$SECONDS" -lt "$end" ]; do
    now=$(systemctl show --value -p MainPID "$1")
    if [ "$(systemctl show --value -p ActiveState "$1")" != active ] || [ "$now" != "$pid" ]; then
      since=$SECONDS pid=$now
    elif [ $((SECONDS - since)) -ge "$SETTLES_S" ]; then
      return 0
    fi
    # Counted from its start on: what ended so often does not need the whole minute.
    [ "$(systemctl show --value -p NRestarts "$1")" -lt "$MOST_RESTARTS" ] || return 1
    sleep 0.5
  done
  return 1
}

wait_healthy() { # UNIT
  systemctl is-active --quiet "$1" && [ "$changed" = 0 ] && return
  is_healthy "$1" "$HEALTHY_WITHIN_S" ||
    fail "$1 is not ready after $HEALTHY_WITHIN_S s: journalctl -u $1"
  say "$1 is ready: $(systemctl show --value -p StatusText "$1")"
}

as_user() { runuser -u "$USER_NAME" -- "$@"; }

services() { # the suite's services on this host that are to run
  local role
  [ ! -f "$ETC/controller/controller.toml" ] || enabled bes-controller.service
  for role in site signer; do
    [ ! -f "$ETC/$role/agent.toml" ] || enabled "bes-agent@$role.service"
  done
}

enabled() {
  if systemctl is-enabled --quiet "$1" 2>/dev/null; then echo "$1"; fi
}

back_up() { # UNIT: prints the copy's path, nothing where there is nothing of ours to copy
  local role said
  case $1 in
    bes-controller.service)
      said=$(as_user "$OPT/current/bin/bes" controller backup \
        --config "$ETC/controller/controller.toml") || return 1
      ;;
    *)
      role=${1#bes-agent@}
      role=${role%.service}
      [ -f "$DATA/$role/agent.sqlite" ] || return 0
      # Its exit status tells of the certificate as well, which is no reason to stay on the old one.
      said=$(as_user "$OPT/current/bin/bes" agent upkeep --config "$ETC/$role/agent.toml") || true
      [[ $said == *"copied and checked: "* ]] || return 1
      ;;
  esac
  sed -n 's/^copied and checked: //p' <<<"$said"
}

put_back() { # UNIT COPY
  local role
  [ -n "$2" ] || return 0
  case $1 in
    bes-controller.service)
      as_user "$OPT/current/bin/python" -I -m provisioning.install.rollback \
        "$DATA/controller/controller.sqlite" "$2"
      ;;
    *)
      role=${1#bes-agent@}
      role=${role%.service}
      as_user "$OPT/current/bin/bes" agent restore --config "$ETC/$role/agent.toml" "$2"
      ;;
  esac
}

migrate_controller() {
  [ ! -f "$ETC/controller/controller.toml" ] ||
    as_user "$OPT/current/bin/bes" controller migrate --config "$ETC/controller/controller.toml" \
      >/dev/null
}

roll_back() { # RELEASE WHY: uses list and copies of `upgrade`
  local unit
  say "$2: rolling back to ${1##*/}"
  systemctl stop "${list[@]}"
  activate "$1"
  install_units "$1"
  for unit in "${list[@]}"; do
    put_back "$unit" "${copies[$unit]}" || say "$unit: ${copies[$unit]} was not put back"
  done
  systemctl --no-block start "${list[@]}"
  for unit in "${list[@]}"; do
    is_healthy "$unit" "$HEALTHY_WITHIN_S" || fail "$unit does not come back on ${1##*/} either"
  done
  fail "rolled back to ${1##*/}: $2"
}

# Everything of the suite on this host goes to the bundle's version, or stays on the old one.
upgrade() {
  local old unit why="" list=()
  declare -A copies=()
  old=$(readlink "$OPT/current") || fail "nothing is installed here"
  if [ "$old" = "$release" ]; then
    say "$version runs already: nothing to change"
    return 0
  fi
  install_release
  mapfile -t list < <(services)
  [ "${#list[@]}" = 0 ] || systemctl stop "${list[@]}"
  for unit in "${list[@]}"; do
    if ! copies[$unit]=$(back_up "$unit"); then
      systemctl --no-block start "${list[@]}"
      fail "$unit could not be backed up: nothing was upgraded"
    fi
    say "backed up $unit: ${copies[$unit]:-no database yet}"
  done
  activate "$release"
  install_units "$release"
  if ! migrate_controller; then
    why="the database could not be migrated"
  else
    [ "${#list[@]}" = 0 ] || systemctl --no-block start "${list[@]}"
    for unit in "${list[@]}"; do
      is_healthy "$unit" "$HEALTHY_WITHIN_S" || why="$unit is not ready within $HEALTHY_WITHIN_S s"
      [ -z "$why" ] || break
    done
  fi
  if [ -z "$why" ]; then
    say "upgraded to $version"
    return 0
  fi
  roll_back "$old" "$why"
}

# PATH...: asks before it deletes; without a terminal it keeps, unless --purge-data was given.
remove_data() {
  local path answer=no found=()
  for path in "$@"; do [ ! -e "$path" ] || found+=("$path"); done
  [ "${#found[@]}" -gt 0 ] || return 0
  if [ "$purge_data" = yes ]; then
    answer=yes
  elif [ -t 0 ]; then
    printf '%s: delete %s, with keys and data, for ever? Type yes: ' "$me" "${found[*]}"
    read -r answer
  fi
  if [ "$answer" = yes ]; then
    rm -rf "${found[@]}"
    did "deleted ${found[*]}"
  else
    say "kept: ${found[*]}"
  fi
}

# What no other service of the suite on this host needs any more.
remove_rest() {
  local file name
  if [ -n "$(services)" ]; then
    say "kept for $(services | tr '\n' ' '): $OPT, units"
    return 0
  fi
  if [ -d "$OPT/current/systemd" ]; then
    while IFS= read -r file; do
      name=${file#"$OPT/current/systemd/"}
      rm -f "$UNITS/$name"
    done < <(find -L "$OPT/current/systemd" -type f)
  fi
  rm -f "$UNITS"/bes-{agent@,controller}.service.d/backoff.conf
  rmdir "$UNITS"/bes-*.service.d 2>/dev/null || true
  rm -f /usr/local/bin/bes
  rm -rf "$OPT"
  systemctl daemon-reload
  did "removed $OPT and the units"
  rmdir "$ETC" 2>/dev/null || true
  rmdir "$DATA/crl" "$DATA" 2>/dev/null || true
  if [ ! -e "$DATA" ] && getent passwd "$USER_NAME" >/dev/null; then
    userdel "$USER_NAME"
    did "removed the user $USER_NAME"
  fi
}
