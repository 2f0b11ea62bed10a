#!/bin/sh
# Install what is missing: packages of the system, then a virtual environment.
# Called by `make setup`; does nothing that is already done.
set -eu

missing=""
need() { # need PACKAGE LIBRARY: PACKAGE if the loader does not know LIBRARY
    ldconfig -p 2>/dev/null | grep -q "$2" || missing="$missing $1"
}
need libpango-1.0-0 libpango-1.0.so.0
need libpangoft2-1.0-0 libpangoft2-1.0.so.0
need libharfbuzz-subset0 libharfbuzz-subset.so.0
need libgl1 libGL.so.1
need libglib2.0-0 libglib-2.0.so.0
fc-list 2>/dev/null | grep -q DejaVu || missing="$missing fonts-dejavu-core fontconfig"
"$PYTHON" -c 'import ensurepip' 2>/dev/null || missing="$missing python3.11 python3.11-venv"
# Only the browser tests need it; without it they say so and are skipped.
if [ "${CI:-}" ] && ! command -v chromium >/dev/null; then missing="$missing chromium"; fi

if [ "$missing" ]; then
    if ! command -v apt-get >/dev/null; then
        echo "Missing:$missing. Install these with your package manager, then run make again." >&2
        exit 1
    fi
    as_root=""
    [ "$(id -u)" = 0 ] || as_root="sudo"
    echo "Installing system packages:$missing"
    $as_root apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing
fi

[ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV"
echo "Installing Python packages (a few minutes the first time: torch is large)"
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check -r requirements.txt
