#!/usr/bin/env bash
# Starts the test cluster: a real SLURM of six nodes on this machine, from Debian's packages.
#
#   tests/slurm/up.sh        as root; installs what is missing, leaves running daemons alone
#   tests/slurm/down.sh      stops it
#
# Daemons: munged, MariaDB and slurmdbd (so that sacct works), slurmctld, six slurmd; n2 to n6 have a GPU as far as SLURM
# is concerned. All listen on 127.0.0.1 only. Everything is in $CVQN_SLURM_DIR (default /tmp/cvqn-slurm) except
# the link /etc/slurm/slurm.conf: Snakemake's SLURM plugins drop SLURM_CONF from a job's environment, so that its srun
# finds the cluster only there. $CVQN_SLURM_PORT (default 17010) is the first of eight ports.
# After a start it ends with 0 after a job ran on every node and the accounting knows of it; of a running cluster it only
# starts again what has died.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/common.sh"
export CVQN_SLURM_DIR=$DIR
trap 'say "error: line $LINENO: $BASH_COMMAND (logs: $DIR/log)"' ERR
port=${CVQN_SLURM_PORT:-17010}
link=/etc/slurm/slurm.conf

[ "$(id -u)" = 0 ] || die "run as root: the daemons start jobs as their owners"
if [ -e "$link" ] && [ "$(readlink "$link")" != "$SLURM_CONF" ]; then
  die "$link belongs to another cluster; stop that one first"
fi
mkdir -p "$DIR"/{log,run,etc,state,munge,gpu,mysql-tmp}
chmod 755 "$DIR" "$DIR"/{log,run,etc,state,munge,gpu}   # munged refuses folders that others can write
lock

install_packages() {
  local need=() package
  for package in slurmctld slurmd slurm-client slurmdbd slurm-wlm-mysql-plugin mariadb-server munge; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q "ok installed" || need+=("$package")
  done
  [ ${#need[@]} -gt 0 ] || return 0
  say "installing ${need[*]}"
  # A policy-rc.d that says no keeps the packages from starting daemons of their own.
  local policy=/usr/sbin/policy-rc.d made=
  if [ ! -e $policy ]; then
    made=$policy
    trap "rm -f $policy" EXIT
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
  fi
  { apt-get update -q &&
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 "${need[@]}"
  } >"$DIR/log/apt.log" 2>&1 9>&- || { tail -20 "$DIR/log/apt.log" >&2; die "apt-get failed"; }
  [ -z "$made" ] || rm -f "$made"
  trap - EXIT
}

# cgroup kills every process of a job; pgid, for machines without a writable freezer, only its process group.
process_tracking() {
  local probe=/sys/fs/cgroup/freezer/cvqn_probe.$$ found=pgid
  if mkdir "$probe" 2>/dev/null; then
    if [ -e "$probe/freezer.state" ]; then found=cgroup; fi
    rmdir "$probe"
  fi
  echo $found
}

configure() {
  local host tracking name
  host=$(hostname -s)
  tracking=$(process_tracking)
  for name in slurm.conf slurmdbd.conf my.cnf; do
    (umask 077 && sed -e "s|@DIR@|$DIR|g; s|@HOST@|$host|g; s|@PROCTRACK@|$tracking|g" \
      -e "s|@PORT_CONTROLLER@|$port|g; s|@PORT_ACCOUNTING@|$((port + 1))|g" \
      -e "s|@PORT_N1@|$((port + 2))|g; s|@PORTS_N2_TO_N6@|$((port + 3))-$((port + 7))|g" \
      "$here/$name.in" >"$DIR/etc/$name")
  done
  chmod 644 "$DIR/etc/slurm.conf"
  # slurmd loads a cgroup plugin even when nothing uses it; version 2 wants systemd.
  printf 'CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n' >"$DIR/etc/cgroup.conf"
  # With a device file SLURM sets CUDA_VISIBLE_DEVICES; where mknod is forbidden it only counts.
  echo "AutoDetect=off" >"$DIR/etc/gres.conf"
  for name in $GPU_NODES; do
    [ -c "$DIR/gpu/$name" ] || mknod -m 666 "$DIR/gpu/$name" c 1 3 2>/dev/null || true
    if [ -c "$DIR/gpu/$name" ]; then
      echo "NodeName=$name Name=gpu File=$DIR/gpu/$name" >>"$DIR/etc/gres.conf"
    else
      echo "NodeName=$name Name=gpu" >>"$DIR/etc/gres.conf"
    fi
  done
  printf '%s;\n' "CREATE DATABASE IF NOT EXISTS slurm_acct_db" \
    "CREATE USER IF NOT EXISTS slurm@localhost IDENTIFIED BY 'slurm'" \
    "GRANT ALL ON slurm_acct_db.* TO slurm@localhost" >"$DIR/etc/init.sql"
  mkdir -p /etc/slurm
  ln -sfn "$SLURM_CONF" "$link"
}

wait_for() { # SECONDS WHAT COMMAND...
  local limit=$1 what=$2 end=$((SECONDS + $1))
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || { grep -hiE "error|fatal" "$DIR"/log/*.log | tail -n 10 >&2; die "$what: not there after $limit s"; }
    sleep 0.2
  done
}

start_munge() {
  running munged && return
  [ -s "$DIR/munge/munge.key" ] || (umask 077 && head -c 1024 /dev/urandom >"$DIR/munge/munge.key")
  rm -f "$DIR"/munge/munge.socket*
  munged --key-file="$DIR/munge/munge.key" --socket="$DIR/munge/munge.socket" --pid-file="$DIR/run/munged.pid" \
    --log-file="$DIR/log/munged.log" --seed-file="$DIR/munge/munge.seed" --origin=127.0.0.1 9>&-
  wait_for 20 munge munge -n -S "$DIR/munge/munge.socket" -o /dev/null
}

start_accounting() {
  if ! running mariadbd; then
    if [ ! -d "$DIR/mysql/mysql" ]; then
      mariadb-install-db --defaults-file="$DIR/etc/my.cnf" --skip-test-db --force \
        --auth-root-authentication-method=normal >"$DIR/log/mariadb-install.log" 2>&1 9>&- ||
        { rm -rf "$DIR/mysql"; tail -20 "$DIR/log/mariadb-install.log" >&2; die "mariadb-install-db failed"; }
    fi
    setsid mariadbd --defaults-file="$DIR/etc/my.cnf" </dev/null >>"$DIR/log/mariadbd.log" 2>&1 9>&- &
  fi
  export MYSQL_UNIX_PORT=$DIR/run/mysql.sock   # slurmdbd.conf has no key for the socket
  wait_for 60 mariadbd mariadb --no-defaults -uslurm -pslurm -e 'select 1' slurm_acct_db
  running slurmdbd || slurmdbd 9>&-
  wait_for 60 slurmdbd sacctmgr -n show cluster
  sacctmgr -n -P show cluster format=cluster | grep -qx cvqn || sacctmgr -iQ add cluster cvqn >/dev/null
  sacctmgr -n -P show account format=account | grep -qx ci ||
    sacctmgr -iQ add account ci Description=ci Organization=ci >/dev/null
  sacctmgr -n -P show assoc account=ci user=root format=user | grep -qx root ||
    sacctmgr -iQ add user root account=ci DefaultAccount=ci >/dev/null
}

start_nodes() {
  local node
  running slurmctld || slurmctld -f "$SLURM_CONF" 9>&-
  wait_for 30 slurmctld sh -c 'scontrol ping | grep -q UP'
  for node in $NODES; do
    mkdir -p "$DIR/state/slurmd.$node"
    running "slurmd.$node" || slurmd -f "$SLURM_CONF" -N "$node" 9>&-
  done
  wait_for 60 "six nodes" sh -c '[ -z "$(sinfo -h -N -t down,drain,unknown,no_respond -o %N)" ]'
}

prove() {
  local nodes job
  nodes=$(timeout 90 srun -p low -N 6 -n 6 -t 1 --mem=50 sh -c 'echo $SLURMD_NODENAME' | sort | xargs)
  [ "$nodes" = "$NODES" ] || die "a job of six nodes reached only: $nodes"
  job=$(timeout 60 sbatch --parsable --wait -p low -t 1 --mem=50 -o /dev/null --wrap true)
  wait_for 30 "job $job in the accounting" sh -c "sacct -nX -j $job -o State | grep -q COMPLETED"
}

was_up=
if running slurmctld; then was_up=yes; fi
[ -n "$was_up" ] || rm -f "$DIR"/log/*.log
install_packages
[ -n "$was_up" ] || configure
start_munge
start_accounting
start_nodes
[ -n "$was_up" ] || prove
say "up after $SECONDS s: $NODES, $(grep -o 'proctrack/.*' "$SLURM_CONF"), logs in $DIR/log"
