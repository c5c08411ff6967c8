#!/usr/bin/env bash
# Installs, upgrades or removes an agent on Debian 12 or 13 (Ubuntu 24.04: intended, untested).
#
#   printf '%s' TOKEN | install-agent.sh --role site --url URL --ca-fingerprint SHA256 --token-stdin
#   install-agent.sh --role site --config FILE        with a ready-made configuration
#   install-agent.sh --upgrade                        everything of the suite on this host
#   install-agent.sh --uninstall --role site [--purge-data]
#
# --wheelhouse DIR is the bundle to install from (by default the one that this script lies in);
# --index lets pip fetch the wheels from its index, held against the same hashes.
set -euo pipefail
me=install-agent
action=install role="" config="" url="" fingerprint="" token_stdin=no
bundle="" use_index=no purge_data=no database_copied=no
# shellcheck source=provisioning/install/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=provisioning/install/upgrade.sh
. "$(dirname "$0")/upgrade.sh"

while [ $# -gt 0 ]; do
  case $1 in
    --role) role=${2:?site or signer} && shift ;;
    --config) config=${2:?a file} && shift ;;
    --url) url=${2:?the URL of the controller} && shift ;;
    --ca-fingerprint) fingerprint=${2:?the fingerprint} && shift ;;
    --token-stdin) token_stdin=yes ;;
    --wheelhouse) bundle=${2:?a folder} && shift ;;
    --index) use_index=yes ;;
    --upgrade) action=upgrade ;;
    --database-copied) database_copied=yes ;;
    --uninstall) action=uninstall ;;
    --purge-data) purge_data=yes ;;
    -h | --help) sed -n '2,11s/^# \{0,1\}//p' "$0" && exit 0 ;;
    *) fail "unknown: $1 (see --help)" ;;
  esac
  shift
done
if [ "$action" != upgrade ]; then
  case $role in site | signer) ;; *) fail "--role ${role:-missing} (allowed: site, signer)" ;; esac
fi
unit=bes-agent@$role.service
SIGNER_STATUS_PORT=9465

configure() {
  local file=$ETC/$role/agent.toml
  if [ -f "$file" ]; then return; fi
  if [ -n "$config" ]; then
    install -m 0644 "$config" "$file"
    did "wrote $file"
    return
  fi
  if [ -z "$url" ] || [ -z "$fingerprint" ] || [ "$token_stdin" = no ]; then
    fail "no configuration: give --url, --ca-fingerprint and --token-stdin, or --config"
  fi
  "$OPT/current/bin/bes" agent join "$url" --ca-fingerprint "$fingerprint" --token-stdin \
    --role "$role" --config-dir "$ETC/$role" --data-dir "$DATA/$role"
  # Both roles may share a host: only one of them can have the usual port of the status page.
  [ "$role" = site ] || grep -q '^\[status\]' "$file" ||
    printf '\n[status]\nport = %s\n' "$SIGNER_STATUS_PORT" >>"$file"
  did "joined as $role"
}

install_agent() {
  find_bundle
  ensure_user
  if [ -e "$OPT/current" ] && [ "$(readlink "$OPT/current")" != "$release" ]; then
    fail "$(readlink "$OPT/current") is installed: --upgrade goes to another version"
  fi
  install_release
  activate "$release"
  ensure_folder "$ETC" 755 root
  ensure_folder "$ETC/$role" 755 root
  ensure_folder "$ETC/$role/secrets" 700 root
  ensure_folder "$DATA" 755 root
  ensure_folder "$DATA/$role" 700 "$USER_NAME"
  configure
  as_user "$OPT/current/bin/bes" agent check --config "$ETC/$role/agent.toml" >/dev/null ||
    fail "the configuration cannot be used"
  install_units "$release"
  ensure_started "$unit" "bes-agent-upkeep@$role.timer"
  wait_healthy "$unit"
}

uninstall_agent() {
  local each
  for each in "bes-agent-upkeep@$role.timer" "$unit"; do
    if [ -n "$(enabled "$each")" ] || systemctl is-active --quiet "$each"; then
      systemctl disable --quiet --now "$each"
      did "stopped and disabled $each"
    fi
  done
  systemctl reset-failed "$unit" 2>/dev/null || true
  remove_data "$ETC/$role" "$DATA/$role"
  remove_rest
}

check_host
one_at_a_time
[ "$action" = uninstall ] || resume_upgrade
case $action in
  install) install_agent ;;
  upgrade)
    find_bundle
    upgrade
    ;;
  uninstall) uninstall_agent ;;
esac
finish
