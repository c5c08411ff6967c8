# shellcheck shell=bash
# What both installers share; sourced by them, never run. Every step looks before it acts, so that a
# second run changes nothing, and says so. The installer sets these before it sources this.
: "${me:?}" "${use_index:?}" "${purge_data:?}"

OPT=/opt/bes
ETC=/etc/bes
DATA=/var/lib/bes
UNITS=/etc/systemd/system
LOCK=/run/lock/bes-install.lock
USER_NAME=bes
HEALTHY_WITHIN_S=60
SETTLES_S=5
MOST_RESTARTS=4
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

one_at_a_time() { # the lock ends with this process and what it started, however it ends
  exec 9>"$LOCK"
  flock -n 9 && return
  say "another installer, or what one that was cut off had started, runs here: waiting for its end"
  flock -w 300 9 || fail "another installer of the suite still runs on this host"
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

ensure_folder() { # PATH MODE OWNER: in a folder of root's, where nobody else can put a link
  [ ! -L "$1" ] || fail "$1 is a link (allowed: a folder, or nothing yet)"
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

# Ready is what the units themselves say (Type=notify), and that they stay up for a moment.
all_healthy() { # UNIT...: else prints which is not
  local end=$((SECONDS + HEALTHY_WITHIN_S)) unit shown pid="" ill
  declare -A since=() pids=()
  while :; do
    ill=""
    for unit in "$@"; do
      shown=$(systemctl show -p MainPID -p ActiveState -p NRestarts "$unit")
      [[ $shown =~ MainPID=([0-9]+) ]] && pid=${BASH_REMATCH[1]}
      if [[ $shown != *ActiveState=active* ]] || [ "$pid" != "${pids[$unit]:-}" ]; then
        since[$unit]=$SECONDS pids[$unit]=$pid
      fi
      [ $((SECONDS - since[$unit])) -ge "$SETTLES_S" ] || ill=$unit
      # Counted from its start on: what ended so often does not need the whole minute.
      if [[ $shown =~ NRestarts=([0-9]+) ]] && [ "${BASH_REMATCH[1]}" -ge "$MOST_RESTARTS" ]; then
        ill=$unit
        break 2
      fi
    done
    [ -n "$ill" ] || return 0
    [ "$SECONDS" -lt "$end" ] || break
    sleep 0.5
  done
  printf '%s is not ready within %s s' "$ill" "$HEALTHY_WITHIN_S"
  return 1
}

wait_healthy() { # UNIT
  local ill
  systemctl is-active --quiet "$1" && [ "$changed" = 0 ] && return
  ill=$(all_healthy "$1") || fail "$ill: journalctl -u $1"
  say "$1 is ready: $(systemctl show --value -p StatusText "$1")"
}

# In a user namespace of root's making: else an agent, of the same user, could look through it (/proc)
# at the folders that its own unit hides from it.
as_user() {
  systemd-run --quiet --wait --pipe --collect -p User="$USER_NAME" -p PrivateUsers=yes \
    -- "$@" </dev/null
}

services() { # the suite's services on this host that are to run
  local role
  [ ! -f "$ETC/controller/controller.toml" ] || enabled bes-controller.service
  for role in site signer; do
    [ ! -f "$ETC/$role/agent.toml" ] || enabled "bes-agent@$role.service"
  done
}

in_use() { # the suite's services that are installed on this host, those that are not to run as well
  local role
  any_of bes-controller.service bes-controller-upkeep.timer "$ETC/controller/controller.toml"
  for role in site signer; do
    any_of "bes-agent@$role.service" "bes-agent-upkeep@$role.timer" "$ETC/$role/agent.toml"
  done
}

any_of() { # UNIT TIMER CONFIG: an uninstallation disables and stops both
  [ -f "$3" ] || return 0
  if [ -n "$(enabled "$1")$(enabled "$2")" ] || systemctl is-active --quiet "$1"; then echo "$1"; fi
}

enabled() {
  if systemctl is-enabled --quiet "$1" 2>/dev/null; then echo "$1"; fi
}

migrate_controller() {
  [ ! -f "$ETC/controller/controller.toml" ] ||
    as_user "$OPT/current/bin/bes" controller migrate --config "$ETC/controller/controller.toml" \
      >/dev/null
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
  if [ -n "$(in_use)" ]; then
    say "kept for $(in_use | tr '\n' ' '): $OPT, units"
    return 0
  fi
  if [ -d "$OPT/current/systemd" ]; then
    while IFS= read -r file; do
      name=${file#"$OPT/current/systemd/"}
      rm -f "$UNITS/$name"
    done < <(find -L "$OPT/current/systemd" -type f)
  fi
  end_isolation
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
