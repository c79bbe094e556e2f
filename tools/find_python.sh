#!/bin/sh
# Prints the path of a CPython >= 3.12 that runs, or one line saying what to install, and exits 1.
# A name on PATH proves nothing: a pyenv shim may answer 127, a bare Debian Python has no ensurepip.
# PYTHON, if set, is the only candidate.
set -efu

# The base executable, not the one of an active venv: that may be the very venv we are about to rebuild.
probe='
import sys
if sys.version_info < (3, 12) or sys.implementation.name != "cpython":
    sys.exit(1)
python = getattr(sys, "_base_executable", None) or sys.executable
try:
    import ensurepip, venv
except ImportError:
    print("bare", python)
else:
    print("ready", python)
'
bare=''

try() { # ends the script with success when $1 is good; remembers one that only lacks ensurepip
    [ -x "$1" ] || return 0
    answer=$("$1" -I -c "$probe" 2>/dev/null </dev/null) || return 0
    case $answer in
        "ready "*)
            printf '%s\n' "${answer#ready }"
            exit 0
            ;;
        "bare "*) bare=${bare:-${answer#bare }} ;;
    esac
}

try_path() { # every directory, not the first hit only: a shim often hides the real one
    for name in python3.14 python3.13 python3.12 python3 python; do
        IFS=:
        for directory in $PATH; do
            try "${directory:-.}/$name"
        done
        unset IFS
    done
}

try_pyenv() {
    versions=${PYENV_ROOT:-${HOME:-}/.pyenv}/versions
    [ -d "$versions" ] || return 0
    for version in $(newest_first "$versions"); do
        try "$versions/$version/bin/python"
    done
}

newest_first() (
    set +f
    cd "$1" && printf '%s\n' * | sort -t. -k1,1nr -k2,2nr -k3,3nr
)

try_uv() {
    command -v uv >/dev/null || return 0
    try "$(uv python find --system '>=3.12' 2>/dev/null)"
}

fail() {
    printf '%s\n' "$1" >&2
    exit 1
}

if [ -n "${PYTHON:-}" ]; then
    try "$(command -v "$PYTHON" || printf '%s' "$PYTHON")"
    [ -z "$bare" ] || fail "$bare has no ensurepip: install it (Debian: apt install python3-venv)."
    fail "PYTHON=$PYTHON is not a CPython >= 3.12 that runs."
fi
try_path
try_pyenv
try_uv
[ -z "$bare" ] || fail "$bare has no ensurepip: install it (Debian: apt install python3-venv), or set PYTHON."
fail "No CPython >= 3.12 found on PATH, under ${PYENV_ROOT:-${HOME:-}/.pyenv}/versions or through uv: \
install one (apt install python3.13-venv, pyenv install 3.13, uv python install 3.13), \
or name it with PYTHON=/path/to/python or PYENV_ROOT=."
