#!/bin/sh
# Makes the virtual environment given as first argument with the package, its tests and torch in it, and installs
# missing system libraries where it may. Whatever stands in the way is said in one sentence.
set -eu
venv=$1
torch=${TORCH:-torch==2.13.0}
# OpenGL by Mesa for the 3D pictures; the last four are what Qt needs for the tests of the panel.
libraries="libegl1 libgl1 libgl1-mesa-dri libglib2.0-0 libfontconfig1 libxkbcommon0 libdbus-1-3"

stop() { echo "setup: $1" >&2; exit 2; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

install_packages() { # why, packages...
    why=$1; shift
    command -v apt-get >/dev/null || stop "$why; install the equivalent of the Debian packages $* and try again."
    echo "setup: installing $*"
    { as_root apt-get update -q && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy "$@"; } >/dev/null 2>&1 ||
        stop "$why; run as root: apt-get install $*"
}

find_python() {
    for name in python3 python3.13 python3.12 python3.11 python3.10; do
        if command -v "$name" >/dev/null && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
            echo "$name"; return
        fi
    done
}

python=$(find_python)
if [ -z "$python" ]; then
    install_packages "Python 3.10 or newer is missing" python3 python3-venv
    python=$(find_python)
    [ -n "$python" ] || stop "Python 3.10 or newer is missing; install it and try again."
fi
has_venv() { "$python" -c 'import ensurepip, venv' 2>/dev/null; }
has_venv || install_packages "Python's venv module is missing" python3-venv
has_venv || stop "$python has no venv module; install the package that brings it and try again."

if [ "$(uname)" = Linux ]; then
    loaded=$("$python" -c 'import ctypes
for name in ("libEGL.so.1", "libGL.so.1", "libglib-2.0.so.0", "libfontconfig.so.1", "libxkbcommon.so.0", "libdbus-1.so.3"):
    ctypes.CDLL(name)
print("yes")' 2>/dev/null || true)
    # shellcheck disable=SC2086
    [ "$loaded" = yes ] || install_packages "OpenGL libraries for the 3D picture are missing" $libraries
fi

install() {
    "$venv/bin/pip" install -q --disable-pip-version-check "$@" ||
        stop "pip could not install $*; see its message above (network? disk space?) and try again."
}

"$python" -m venv "$venv" || stop "the virtual environment $venv could not be made; give another place with VENV=..."
# torch first and by its exact version, else the packages that ask for any "torch" fetch the newest.
install "$torch"
install -e ".[test]"
