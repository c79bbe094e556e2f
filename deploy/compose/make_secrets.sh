#!/bin/sh
# Writes the secrets compose.yaml mounts into a folder (var/secrets by default). Keeps those that are there already.
set -eu
folder=${1:-$(dirname "$0")/../../var/secrets}

random() { # $1 bytes as base64 on one line
    head -c "$1" /dev/urandom | base64 | tr -d '\n'
}

keep() { # $1: name, $2: text
    [ -e "$folder/$1" ] || printf '%s' "$2" >"$folder/$1"
}

mkdir -p "$folder"
# Compose mounts each file with the owner and mode it has here, and the container's user is not yours: the files
# must be readable by all. The folder is what keeps other people on this machine out.
chmod 700 "$folder"
umask 022
keep postgres_password "$(random 24 | tr '+/' '-_')"
keep database_url "postgres://trunkline:$(cat "$folder/postgres_password")@postgres:5432/trunkline"
keep secret_key "$(random 60)"
keep encryption_keys "k1:$(random 32)"
