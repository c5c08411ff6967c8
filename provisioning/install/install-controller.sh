#!/usr/bin/env bash
# Installs, upgrades or removes a controller on Debian 12 or 13 (Ubuntu 24.04: intended, untested).
#
#   install-controller.sh --url https://bes.example:8443 --address bes.example [--address ...] \
#     [--broker] [--broker-host HOST] [--ca-name NAME]
# The first run makes the request for the authority's certificate and stops (exit status 3). Sign it
# where the root is (bes ca intermediate sign), carry the answer back, and give the command again with
#     --ca-certificate FILE --ca-fingerprint SHA256
#   install-controller.sh --upgrade                   everything of the suite on this host
#   install-controller.sh --uninstall [--purge-data]
#
# --broker installs mosquitto's configuration on this host. --wheelhouse DIR is the bundle to install
# from (by default the one that this script lies in); --index lets pip fetch the wheels from its
# index, held against the same hashes. --database-copied with --upgrade: a database on PostgreSQL was
# copied, so that its schema may change.
set -euo pipefail
me=install-controller
action=install url="" addresses=() broker=no broker_host="" ca_name="" ca_certificate=""
ca_fingerprint="" bundle="" use_index=no purge_data=no database_copied=no
# shellcheck source=provisioning/install/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=provisioning/install/upgrade.sh
. "$(dirname "$0")/upgrade.sh"

while [ $# -gt 0 ]; do
  case $1 in
    --url) url=${2:?https://HOST:PORT} && shift ;;
    --address) addresses+=("${2:?a name or address}") && shift ;;
    --broker) broker=yes ;;
    --broker-host) broker_host=${2:?a name or address} && shift ;;
    --ca-name) ca_name=${2:?a name} && shift ;;
    --ca-certificate) ca_certificate=${2:?a file} && shift ;;
    --ca-fingerprint) ca_fingerprint=${2:?the fingerprint of the root} && shift ;;
    --wheelhouse) bundle=${2:?a folder} && shift ;;
    --index) use_index=yes ;;
    --upgrade) action=upgrade ;;
    --database-copied) database_copied=yes ;;
    --uninstall) action=uninstall ;;
    --purge-data) purge_data=yes ;;
    -h | --help) sed -n '2,17s/^# \{0,1\}//p' "$0" && exit 0 ;;
    *) fail "unknown: $1 (see --help)" ;;
  esac
  shift
done
home=$ETC/controller
unit="bes-controller.service"
bes=$OPT/current/bin/bes

write_files() {
  local made options=()
  [ "$broker" = no ] || options+=(--with-broker)
  made=$("$OPT/current/bin/python" -I -m provisioning.install.controller_host \
    "${addresses[@]}" --url "$url" --broker-host "${broker_host:-${addresses[0]}}" "${options[@]}")
  [ -z "$made" ] || did "$made"
}

install_authority() {
  [ ! -f "$home/ca/current/chain.pem" ] || return 0
  if [ -z "$ca_certificate" ]; then
    "$bes" ca intermediate request --folder "$home/ca" \
      --name "${ca_name:-Bitcoin Enterprise Suite, ${addresses[0]}}"
    say "sign this where the root is: bes ca intermediate sign; then give this command again with" \
      "--ca-certificate FILE --ca-fingerprint SHA256"
    exit 3
  fi
  [ -n "$ca_fingerprint" ] || fail "--ca-fingerprint: missing (allowed: that of the root)"
  "$bes" ca intermediate install --folder "$home/ca" --certificate "$ca_certificate" \
    --fingerprint "$ca_fingerprint"
  did "the authority's certificate is installed"
}

renew_certificates() {
  local said quiet=(--quiet-units)
  ! systemctl is-active --quiet "$unit" || quiet=() # else it would keep the pair that ends
  said=$("$OPT/current/bin/python" -I -m provisioning.install.certificates renew \
    "$home/certificates.json" "${quiet[@]}")
  case $said in renewed*) did "$said" ;; esac
}

start_broker() {
  local said i=0 crl=$DATA/crl/nodes.crl
  while [ ! -f "$crl" ]; do
    [ "$((i += 1))" -le 60 ] || fail "$crl was not written: journalctl -u $unit"
    sleep 0.5
  done
  ensure_file "$home/ca/roots.pem" /etc/bes-broker/roots.pem
  said=$("$bes" provision broker --ca /etc/bes-broker/roots.pem --crl "$crl" \
    --certificate /etc/bes-broker/certificates/broker.pem \
    --key /etc/bes-broker/certificates/broker.key)
  case $said in
    *written:*)
      did "wrote the broker's configuration"
      systemctl daemon-reload
      systemctl restart mosquitto.service
      ;;
  esac
  ensure_started mosquitto.service bes-broker-reload.path bes-broker-reload.timer bes-broker-log.timer
}

install_controller() {
  [[ $url =~ ^https://[^/?#@[:space:]]+$ ]] || fail "--url ${url:-missing} (allowed: https://HOST:PORT)"
  [ "${#addresses[@]}" -gt 0 ] || fail "--address: missing (allowed: what hosts reach this one by)"
  if [ "$broker" = yes ]; then
    [ -x /usr/sbin/mosquitto ] || fail "no mosquitto: apt-get install mosquitto"
    [ -x /usr/sbin/logrotate ] || fail "no logrotate, to bound the broker's log: apt-get install logrotate"
  fi
  find_bundle
  ensure_user
  if [ -e "$OPT/current" ] && [ "$(readlink "$OPT/current")" != "$release" ]; then
    fail "$(readlink "$OPT/current") is installed: --upgrade goes to another version"
  fi
  install_release
  activate "$release"
  install_units "$release"
  ensure_folder "$ETC" 755 root
  ensure_folder "$home" 755 root
  ensure_folder "$home/secrets" 700 root
  ensure_folder "$DATA" 755 root
  ensure_folder "$DATA/controller" 700 "$USER_NAME"
  ensure_folder "$DATA/crl" 755 "$USER_NAME"
  write_files
  install_authority
  renew_certificates
  migrate_controller
  ensure_started "$unit" bes-controller-upkeep.timer bes-renew.timer
  wait_healthy "$unit"
  [ "$broker" = no ] || start_broker
  [ "$changed" = 0 ] || say "make the first administrator: bes user --help"
}

uninstall_controller() {
  local each
  for each in bes-renew.timer bes-controller-upkeep.timer "$unit" \
    bes-broker-reload.path bes-broker-reload.timer bes-broker-log.timer; do
    if [ -n "$(enabled "$each")" ] || systemctl is-active --quiet "$each"; then
      systemctl disable --quiet --now "$each"
      did "stopped and disabled $each"
    fi
  done
  if [ -f "$UNITS/mosquitto.service.d/bes.conf" ]; then
    systemctl disable --quiet --now mosquitto.service
    rm -f "$UNITS/mosquitto.service.d/bes.conf" "$UNITS"/bes-broker-{reload,unread,log}.*
    rm -rf /run/bes-broker /var/lib/logrotate/bes-broker
    rmdir "$UNITS/mosquitto.service.d" 2>/dev/null || true
    systemctl daemon-reload
    did "stopped mosquitto and removed what made it this suite's"
  fi
  remove_data "$home" "$DATA/controller" "$DATA/crl" /etc/bes-broker /var/lib/bes-broker \
    /var/log/mosquitto/bes.log*
  remove_rest
}

check_host
one_at_a_time
[ "$action" = uninstall ] || resume_upgrade
case $action in
  install) install_controller ;;
  upgrade)
    find_bundle
    upgrade
    ;;
  uninstall) uninstall_controller ;;
esac
finish
