#!/usr/bin/env bash
# Makes .venv from uv.lock with bash and Python ≥ 3.11 alone. Run, its options are more for `uv sync`, such as
# `scripts/bootstrap.sh --extra aws`; what was installed once is kept. Sourced by scripts/up and scripts/test, which give
# such options by $LOOMSTEAD_SYNC, it also sets $root.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

fail() {
  printf '%s\n' "$@" >&2
  exit 1
}

find_python() {
  local name
  for name in python3 python3.14 python3.13 python3.12 python3.11; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11) or print(sys.executable))' 2>/dev/null; then
      return
    fi
  done
  fail "No Python ≥ 3.11 on PATH (looked for python3 and python3.11 to python3.14). Install one and run this again."
}

# uv from PATH when it is as new as the pinned one, else the pinned one, by hash, in the cache.
find_uv() {
  local python=$1 cache=${LOOMSTEAD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/loomstead} pinned found place
  pinned=$(sed -n 's/^uv==\([0-9.]*\).*/\1/p' "$root/scripts/uv.txt")
  found=$(uv --version 2>/dev/null | cut -d' ' -f2) || true
  if [ -n "$found" ] && printf '%s\n' "$pinned" "$found" | sort -V -C; then
    command -v uv
    return
  fi
  place=$cache/uv/$pinned
  if [ ! -x "$place/bin/uv" ]; then
    echo "→ uv $pinned" >&2
    mkdir -p "$cache/uv"
    making=$(mktemp -d "$cache/uv/making-XXXXXX")
    trap 'rm -rf "$making"' EXIT
    "$python" -m venv "$making/pip" >&2 || fail \
      "$python cannot make a virtual environment: Debian and Ubuntu keep the modules for that apart." \
      "Either install them (apt-get install python3-venv), or put uv ≥ $pinned on PATH" \
      "(https://docs.astral.sh/uv/getting-started/installation/). Then run this again."
    "$making/pip/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
      --target "$making/uv" -r "$root/scripts/uv.txt" >&2 || fail \
      "uv $pinned cannot be had: pip needs a package index (PIP_INDEX_URL, HTTPS_PROXY and PIP_CERT are honoured)."
    [ -x "$place/bin/uv" ] || mv "$making/uv" "$place"
  fi
  echo "$place/bin/uv"
}

make_environment() {
  local python uv options
  # shellcheck disable=SC2206  # words
  options=(--frozen --inexact --extra local ${LOOMSTEAD_SYNC-} "$@")
  python=$(find_python)
  uv=$(find_uv "$python")
  if [ -x "$root/.venv/bin/python" ]; then
    [ $# -gt 0 ] || options+=(--quiet)
  else
    echo "→ Python packages of uv.lock" >&2
    options+=(--python "$python")
  fi
  (unset VIRTUAL_ENV UV_PROJECT_ENVIRONMENT && UV_PYTHON_DOWNLOADS=never "$uv" sync --project "$root" "${options[@]}")
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  set -euo pipefail
  make_environment "$@"
else
  make_environment # not with the options of who sources it
fi
