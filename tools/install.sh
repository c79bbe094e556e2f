#!/bin/sh
# Brings the venv to a lock: `tools/install.sh base` or `dev`. When it is there already, this does nothing, fast.
# The stamp is a copy of the lock, so what decides is its content and not a file's date.
set -eu
cd "$(dirname "$0")/.."

venv=${VENV:-.venv}
lock=requirements/$1.txt
stamp=$venv/.installed-$1

runs() { # its Python may have gone or been upgraded under it
    "$venv/bin/python" -I -c 'import sys, pip; sys.exit(sys.version_info < (3, 12))' 2>/dev/null
}

if runs; then
    if cmp -s "$lock" "$stamp"; then exit 0; fi
else
    python=$(tools/find_python.sh)
    "$python" -m venv --clear "$venv"
fi

# From here to the last line the venv is at no lock: an interrupted run must be taken up again.
rm -f "$venv"/.installed-*
echo "Installing $lock into $venv (about a minute, once)"
"$venv/bin/python" -m pip install -qq --disable-pip-version-check --require-hashes -r "$lock"
if [ "$1" = dev ]; then cp requirements/base.txt "$venv/.installed-base"; fi # dev.txt holds all of base.txt
cp "$lock" "$stamp"
