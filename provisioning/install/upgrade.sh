# shellcheck shell=bash
# To another version and back; sourced by both installers. What an upgrade is about to do stands in
# $OPT/upgrading before it is done, so that one that was cut off, by a reboot or a signal, is found by
# the next run of either installer and finished or taken back:
#
#   stopping      the services stop and are copied; the version before is untouched
#   trying        from here on everything goes to the new version
#   opening       it is healthy; the controller is let onto the network again
#   rolling-back  everything goes back, and the copies with it
#   rolled-back   all is put back; the services start
#
# The functions share these: phase, old, new (releases), list (units), copies (unit to file).

ISOLATED=/run/systemd/system/bes-controller.service.d/trial.conf

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
        "$ETC/controller/controller.toml" "$2"
      ;;
    *)
      role=${1#bes-agent@}
      role=${role%.service}
      as_user "$OPT/current/bin/bes" agent restore --config "$ETC/$role/agent.toml" "$2"
      ;;
  esac
}


note() { # PHASE
  local unit
  phase=$1
  {
    printf 'phase %s\nold %s\nnew %s\n' "$phase" "$old" "$new"
    for unit in "${list[@]}"; do printf 'unit %s %s\n' "$unit" "${copies[$unit]:-}"; done
  } >"$OPT/upgrading.new"
  sync "$OPT/upgrading.new"
  mv -T "$OPT/upgrading.new" "$OPT/upgrading"
}

read_note() {
  local key first rest
  while read -r key first rest; do
    case $key in
      phase) phase=$first ;;
      old) old=$first ;;
      new) new=$first ;;
      unit)
        # One that was uninstalled meanwhile is not started again.
        [ -n "$(enabled "$first")" ] || continue
        list+=("$first")
        copies[$first]=$rest
        ;;
    esac
  done <"$OPT/upgrading"
}

stop_services() { [ "${#list[@]}" = 0 ] || systemctl stop "${list[@]}"; }
start_services() { [ "${#list[@]}" = 0 ] || systemctl --no-block start "${list[@]}"; }

schema_changed() { # whether going back would cost what is committed from now on
  local copy=${copies[bes-controller.service]:-}
  [ -n "$copy" ] || return 1
  ! as_user "$OPT/current/bin/python" -I -m provisioning.install.rollback --compare \
    "$ETC/controller/controller.toml" "$copy"
}

# A database on PostgreSQL is copied by its own tools and not here: where the schema is to change,
# whoever upgrades has to say that it was done.
can_go_back() {
  ! is_listed bes-controller.service || [ "${database_copied:-no}" = yes ] ||
    as_user "$new/bin/python" -I -m provisioning.install.rollback --check \
      "$ETC/controller/controller.toml"
}

make_secrets() { # what the new units load
  local said
  [ -f "$ETC/controller/controller.toml" ] || return 0
  said=$("$OPT/current/bin/python" -I -m provisioning.install.controller_host --secrets-only) ||
    return 1
  [ -z "$said" ] || did "$said"
}

is_listed() { [[ " ${list[*]} " == *" $1 "* ]]; } # UNIT

# With a changed schema nothing from outside may be committed until it is known to stay: the
# controller has no network meanwhile, so agents keep what they have, and nobody is answered.
isolate() {
  mkdir -p "$(dirname "$ISOLATED")"
  printf '[Service]\nPrivateNetwork=yes\n' >"$ISOLATED"
  systemctl daemon-reload
  say "the schema changes: the controller is tried without a network"
}

end_isolation() {
  [ -f "$ISOLATED" ] || return 0
  rm -f "$ISOLATED"
  rmdir "$(dirname "$ISOLATED")" 2>/dev/null || true
  systemctl daemon-reload
}

try_new() {
  local why=""
  note trying
  activate "$new"
  install_units "$new"
  make_secrets || roll_back "secrets that are new could not be made"
  if is_listed bes-controller.service; then # else nobody has copied its database
    migrate_controller || roll_back "the database could not be migrated"
  fi
  ! schema_changed || isolate
  start_services
  why=$(all_healthy "${list[@]}") || roll_back "$why"
  [ ! -f "$ISOLATED" ] || open_up
  arrive
}

open_up() {
  local why=""
  note opening
  end_isolation
  systemctl --no-block restart bes-controller.service
  start_services
  why=$(all_healthy "${list[@]}") || roll_back "$why"
}

arrive() {
  rm -f "$OPT/upgrading"
  did "upgraded to ${new##*/}"
}

roll_back() { # WHY: ends the script
  local unit
  say "$1: rolling back to ${old##*/}"
  note rolling-back
  stop_services
  end_isolation
  activate "$old"
  install_units "$old"
  for unit in "${list[@]}"; do
    put_back "$unit" "${copies[$unit]}" || say "$unit: ${copies[$unit]} was not put back"
  done
  come_back "$1"
}

come_back() { # WHY: ends the script
  local ill
  note rolled-back
  start_services
  ill=$(all_healthy "${list[@]}") || fail "${old##*/} does not come back either: $ill"
  rm -f "$OPT/upgrading"
  fail "rolled back to ${old##*/}: $1"
}

# Everything of the suite on this host goes to the bundle's version, or stays on the old one.
upgrade() {
  local old new=${release:?} phase="" unit list=()
  declare -A copies=()
  old=$(readlink "$OPT/current") || fail "nothing is installed here"
  if [ "$old" = "$new" ]; then
    say "${new##*/} runs already"
    return 0
  fi
  install_release
  mapfile -t list < <(services)
  can_go_back || fail "nothing was upgraded"
  ensure_folder "$DATA" 755 root
  note stopping
  stop_services
  for unit in "${list[@]}"; do
    if ! copies[$unit]=$(back_up "$unit"); then
      start_services
      rm -f "$OPT/upgrading"
      fail "$unit could not be backed up: nothing was upgraded"
    fi
    say "backed up $unit: ${copies[$unit]:-no database yet}"
  done
  try_new
}

# Before anything else: an upgrade that was cut off is finished or taken back.
resume_upgrade() {
  local old="" new="" phase="" list=()
  declare -A copies=()
  [ -f "$OPT/upgrading" ] || return 0
  read_note
  say "an upgrade from ${old##*/} to ${new##*/} was cut off while $phase"
  case $phase in
    stopping)
      start_services
      rm -f "$OPT/upgrading"
      did "${old##*/} runs on: nothing was changed yet"
      ;;
    trying)
      stop_services
      try_new
      ;;
    opening)
      open_up
      arrive
      ;;
    rolling-back) roll_back "the upgrade to ${new##*/} had failed" ;;
    rolled-back) come_back "the upgrade to ${new##*/} had failed" ;;
    *) fail "$OPT/upgrading cannot be read" ;;
  esac
}
