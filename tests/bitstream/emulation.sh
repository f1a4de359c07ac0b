#!/usr/bin/env bash
# Decodes and encodes the golden vectors on arm64 and on s390x, which is big endian, under qemu's user emulation. Debian's
# Python, NumPy and OpenBLAS of these processors are unpacked into folders of their own, of which nothing is installed.
# They are kept in $CVQN_EMULATION, by default ~/.cache/cvqn/emulation: 240 MB. As root or with sudo, on Debian 12.
set -euo pipefail
cd "$(dirname "$0")/../.."

as_root=""
[ "$(id -u)" = 0 ] || as_root=sudo
roots=${CVQN_EMULATION:-${XDG_CACHE_HOME:-$HOME/.cache}/cvqn/emulation}

if ! command -v qemu-s390x-static >/dev/null; then
  $as_root apt-get update -q
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends qemu-user-static
fi

# fetch ARCHITECTURE: its packages in $roots/ARCHITECTURE, complete or not at all
fetch() {
  local root=$roots/$1 work
  [ -d "$root" ] && return
  mkdir -p "$roots"
  work=$(mktemp -d "$roots/.$1.XXXXXX")
  mkdir -p "$work"/{lists,archives}/partial "$work/root"
  : >"$work/status"
  local options=(
    -q -o APT::Architecture="$1" -o APT::Architectures="$1" -o Acquire::Languages=none -o APT::Sandbox::User=
    -o Dir::State::lists="$work/lists" -o Dir::State::status="$work/status" -o Dir::Cache="$work"
  )
  apt-get "${options[@]}" update
  apt-get "${options[@]}" install -y --download-only --no-install-recommends python3-numpy libopenblas0-pthread
  for package in "$work"/archives/*.deb; do
    dpkg-deb -x "$package" "$work/root"
  done
  mv -T "$work/root" "$root" || [ -d "$root" ] # another run may have been first
  rm -rf "$work"
}

# check ARCHITECTURE EMULATOR LIBRARIES
check() {
  local root=$roots/$1
  fetch "$1" >&2
  "qemu-$2-static" -L "$root" -E LD_LIBRARY_PATH="$root/usr/lib/$3/openblas-pthread" -E OPENBLAS_NUM_THREADS=1 \
    -E PYTHONDONTWRITEBYTECODE=1 "$root/usr/bin/python3" -m tests.bitstream.corpus
}

check arm64 aarch64 aarch64-linux-gnu &
first=$!
check s390x s390x s390x-linux-gnu
wait $first
