# shellcheck shell=bash
# Sourced by the scripts beside it: goes to the top of the tree, and offers quiet, need_apt and make_venv.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$ROOT" || exit
# The daemons that the tests start (sshd, nginx, cron) stand in sbin, which is not on everyone's PATH.
export PATH="$ROOT/.venv/bin:$PATH:/usr/sbin:/sbin"

say() { printf 'bnet: %s\n' "$*" >&2; }

# quiet COMMAND...: run it, and show what it printed only if it failed.
quiet() {
    local output status=0
    output="$("$@" 2>&1)" || status=$?
    if [ "$status" -ne 0 ]; then
        printf '%s\n' "$output" >&2
        say "failed ($status): $*"
    fi
    return "$status"
}

# locked FILE COMMAND...: run it while no other script holds FILE; what it starts does not inherit the lock.
locked() {
    local file="$1"
    shift
    (
        flock 9
        "$@" 9>&-
    ) 9>>"$file"
}

missing_packages() {
    local package
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || echo "$package"
    done
}

# Installs while a policy forbids daemons to start: the tests start their own, on ports of their own.
apt_install() {
    local policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    export DEBIAN_FRONTEND=noninteractive
    quiet apt-get -q -y update && quiet apt-get -q -y -o DPkg::Lock::Timeout=300 install \
        --no-install-recommends "$@"
}

# need_apt PACKAGE...: install what is missing, or say what to install and go on.
need_apt() {
    local missing
    mapfile -t missing < <(missing_packages "$@")
    [ "${#missing[@]}" -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        say "please install: ${missing[*]} (going on without)"
        return 0
    fi
    say "installing ${missing[*]}"
    locked "${TMPDIR:-/tmp}/bnet-apt.lock" apt_install "${missing[@]}" || say "going on without: ${missing[*]}"
}

find_python() {
    local python
    for python in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$python"
            return 0
        fi
    done
    say "Python 3.11 or newer is needed"
    return 1
}

# The folder is part of the place because a copied .venv still runs the tree that it was copied from.
fill_venv() {
    local python="$1" place recipe
    place="$ROOT $("$python" -VV | tr '\n' ' ')"
    recipe="$(sha256sum <pyproject.toml)"
    if [ "$(cat .venv/made-from 2>/dev/null)" = "$place$recipe" ]; then
        return 0
    fi
    say "making .venv"
    if [ "$(cat .venv/made-for 2>/dev/null)" != "$place" ]; then
        "$python" -c 'import ensurepip' 2>/dev/null || need_apt python3-venv
        quiet "$python" -m venv --clear .venv || return
        printf '%s' "$place" >.venv/made-for
    fi
    quiet .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]' || return
    printf '%s' "$place$recipe" >.venv/made-from
}

# make_venv: see to a .venv with bnet (editable) and its tools, made again when pyproject.toml changes.
make_venv() {
    local python
    # Not the .venv's own, which is first on PATH: it may be about to be replaced.
    python="$(PATH="${PATH#"$ROOT/.venv/bin:"}" find_python)" || return
    locked .venv.lock fill_venv "$python"
}
