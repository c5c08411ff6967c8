#!/usr/bin/env bash
# The shipped upgrade between two releases of a make-believe host below $1, for test_upgrade.py.
# What it does to the host is counted; the run ends by SIGKILL after effect number $2.
# $3 is the unit that never becomes healthy in release 2.
# $4 is yes where release 2 changes the schema.
set -euo pipefail
host=$1 kill_after=$2 unhealthy=$3 schema_changes=$4 effects=0
# shellcheck disable=SC2034 # what the sourced scripts ask for
me=test use_index=no purge_data=no
. provisioning/install/common.sh
. provisioning/install/upgrade.sh
# shellcheck disable=SC2034
OPT=$host/opt ISOLATED=$host/trial.d/trial.conf
release=$OPT/releases/2

effect() {
  effects=$((effects + 1))
  [ "$effects" != "$kill_after" ] || kill -KILL $$
}
running() { readlink "$OPT/current" | sed 's,.*/,,'; }
reach() { if [ "$1" = bes-controller.service ] && [ -f "$ISOLATED" ]; then echo alone; else echo open; fi; }
outside() { # somebody hands over a row; it is acknowledged once it is committed
  if [ "$(cat "$host/active/bes-controller.service" 2>/dev/null)" != "$(running) open" ]; then return; fi
  local row=$RANDOM$RANDOM
  echo "$row" >>"$host/db"
  echo "$row" >>"$host/acknowledged"
}
systemctl() {
  local unit
  [ "$1" != --no-block ] || shift
  case $1 in
    stop) for unit in "${@:2}"; do rm -f "$host/active/$unit"; done ;;
    start | restart)
      for unit in "${@:2}"; do
        if [ "$1" = start ] && [ -f "$host/active/$unit" ]; then continue; fi
        echo "$(running) $(reach "$unit")" >"$host/active/$unit"
      done
      ;;
    is-enabled) return 0 ;;
  esac
  outside
  effect
}
mv() {
  command mv "$@"
  effect
}
services() { printf '%s\n' bes-controller.service bes-agent@site.service; }
all_healthy() {
  local unit
  outside
  for unit in "$@"; do
    if [ ! -f "$host/active/$unit" ] || [ "$unit $(running)" = "$unhealthy 2" ]; then return 1; fi
  done
}
install_release() { effect; }
install_units() { effect; }
sync() { :; }
can_go_back() { :; }
ensure_folder() { :; }
back_up() {
  [ "$1" = bes-controller.service ] || return 0
  cp "$host/db" "$host/copy"
  echo "$host/copy"
}
schema() { head -n 1 "$1"; }
schema_changed() { [ "$(schema "$host/db")" != "$(schema "$host/copy")" ]; }
migrate_controller() {
  [ "$schema_changes" = no ] || sed -i "1s/.*/schema $(running)/" "$host/db"
  effect
}
put_back() {
  [ "$1" != bes-controller.service ] || ! schema_changed || cp "$2" "$host/db"
  effect
}

resume_upgrade
upgrade
finish
