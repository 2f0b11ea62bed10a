#!/bin/sh
# Install what is missing: packages of the system, then a virtual environment.
# `make setup` calls it; with the word "browser" it installs what the tests need beside that.
# Does nothing that is already done.
set -eu
PATH=$PATH:/usr/sbin:/sbin # ldconfig is there

missing=""
need_library() { # PACKAGE, LIBRARY the loader must know
    ldconfig -p 2>/dev/null | grep -q "$2" || missing="$missing $1"
}
need_font() { # PACKAGE, FAMILY
    fc-list 2>/dev/null | grep -q "$2" || missing="$missing $1"
}
need_command() { # PACKAGE, COMMAND
    command -v "$2" >/dev/null || missing="$missing $1"
}

if [ "${1:-}" = browser ]; then
    # Debian's shell of Chromium takes less than half of the browser's processor time (tests/chromium.py).
    command -v chromium >/dev/null || need_command chromium-headless-shell chromium-headless-shell
    need_library libatomic1 libatomic.so.1 # of Playwright's driver
    # Servers the tests start themselves, on loopback
    [ -d /usr/lib/postgresql ] || missing="$missing postgresql"
    need_command redis-server redis-server
else
    need_library libpango-1.0-0 libpango-1.0.so.0
    need_library libpangoft2-1.0-0 libpangoft2-1.0.so.0
    need_library libharfbuzz-subset0 libharfbuzz-subset.so.0
    need_library libgl1 libGL.so.1
    need_library libglib2.0-0 libglib-2.0.so.0
    need_command fontconfig fc-list
    need_font fonts-dejavu-core DejaVuSans
    need_font fonts-liberation Liberation
    need_font fonts-droid-fallback Droid # file names in Chinese, Japanese, Korean
    need_font fonts-noto-core "Noto Sans Khmer" # names in Thai, Hindi, Bengali, Tamil, Amharic and others
    need_font fonts-noto-color-emoji "Noto Color Emoji"
    "$PYTHON" -c 'import ensurepip' 2>/dev/null || missing="$missing python3.11 python3.11-venv"
fi

if [ "$missing" ]; then
    if ! command -v apt-get >/dev/null; then
        echo "Missing:$missing. Install these with your package manager, then run make again." >&2
        exit 1
    fi
    as_root=""
    if [ "$(id -u)" != 0 ]; then
        as_root="sudo"
        if ! command -v sudo >/dev/null; then
            echo "Packages are missing, and there is no sudo. As root, run" >&2
            echo "    apt-get update && apt-get install -y --no-install-recommends$missing" >&2
            echo "then run make again." >&2
            exit 1
        fi
    fi
    echo "Installing system packages:$missing"
    # A new machine may be updating itself: wait ten minutes for the package manager instead of failing
    wait="-o DPkg::Lock::Timeout=600"
    # shellcheck disable=SC2086 -- two words
    $as_root apt-get $wait update -qq
    # Where the distribution has no such package, the whole browser
    apt-cache show chromium-headless-shell >/dev/null 2>&1 ||
        missing=$(echo "$missing" | sed s/chromium-headless-shell/chromium/)
    # shellcheck disable=SC2086 -- a list of words
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get $wait install -y -qq --no-install-recommends $missing
fi
[ "${1:-}" != browser ] || exit 0

# An interrupted setup can leave an environment without pip.
"$VENV/bin/python" -m pip --version >/dev/null 2>&1 || "$PYTHON" -m venv --clear "$VENV"
echo "Installing Python packages (a few minutes the first time: torch is large)"
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check -r requirements.txt
