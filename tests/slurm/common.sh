# Sourced by up.sh and down.sh: where the cluster lives and which processes are its own.

DIR=$(realpath -m "${CVQN_SLURM_DIR:-${TMPDIR:-/tmp}/cvqn-slurm}")
GPU_NODES="n2 n3 n4 n5 n6"
NODES="n1 $GPU_NODES"
export PATH=$PATH:/usr/sbin:/sbin SLURM_CONF=$DIR/etc/slurm.conf

say() { echo "$(basename "$0"): $*" >&2; }
die() { say "error: $*"; exit 1; }

# Every daemon inherits CVQN_SLURM_DIR from up.sh, so a stale pid file never names somebody else's process.
ours() { tr '\0' '\n' 2>/dev/null <"/proc/$1/environ" | grep -qxF "CVQN_SLURM_DIR=$DIR"; }
pid_of() {
  local pid
  pid=$(cat "$DIR/run/$1.pid" 2>/dev/null) && [ -n "$pid" ] && ours "$pid" && echo "$pid"
}
running() { pid_of "$1" >/dev/null; }

lock() {
  mkdir -p "$DIR/run"
  exec 9>"$DIR/run/lock"
  flock -w 300 9 || die "another up.sh or down.sh is busy in $DIR"
}
