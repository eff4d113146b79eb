#!/bin/sh
# Runs the library's tests and the tool on known data: run.sh UNITS TALLY
set -eu
units=$1
tally=$2
failed=0

"./$units"

for data in data/*.txt; do
    if "$tally" "$data" 2>&1 | cmp -s - "${data%.txt}.expected"; then
        echo "ok     tally $data"
    else
        echo "FAILED tally $data" >&2
        "$tally" "$data" 2>&1 | diff "${data%.txt}.expected" - >&2 || true
        failed=1
    fi
done
exit $failed
