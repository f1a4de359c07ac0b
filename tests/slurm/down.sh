#!/usr/bin/env bash
# Stops the test cluster that up.sh started, and nothing else; its database and logs stay. --purge deletes those too.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
[ -d "$DIR/run" ] || { say "nothing in $DIR"; exit 0; }
lock

stop() { # TERM to all of them, and KILL after 20 s
  local name pid pids=()
  for name; do
    pid=$(pid_of "$name") || continue
    pids+=("$pid")
    kill -CONT "$pid" && kill -TERM "$pid" || true
  done
  for pid in "${pids[@]}"; do   # not by pid files, which a daemon deletes before it has ended
    for _ in $(seq 100); do ours "$pid" || break; sleep 0.2; done
    if ours "$pid"; then kill -KILL "$pid" || true; fi
  done
  for name; do rm -f "$DIR/run/$name.pid"; done
}

# Jobs first: their slurmstepd processes would outlive slurmd.
if running slurmctld && jobs=$(timeout 10 squeue -h -o %A) && [ -n "$jobs" ]; then
  timeout 10 scancel $jobs || true
  for _ in $(seq 50); do [ -n "$(timeout 10 squeue -h)" ] || break; sleep 0.2; done
fi
stop $(printf 'slurmd.%s ' $NODES)
for name in slurmctld slurmdbd mariadbd munged; do stop $name; done
for node in $NODES; do
  cgroup=/sys/fs/cgroup/freezer/slurm_$node
  [ ! -d "$cgroup" ] || find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null || true
done
if [ "$(readlink /etc/slurm/slurm.conf || true)" = "$SLURM_CONF" ]; then rm -f /etc/slurm/slurm.conf; fi
if [ "${1:-}" = --purge ]; then rm -rf -- "$DIR"; fi
say "down"
