#!/bin/sh
# The demo: starts the lab's legacy-mdm server on a free loopback port, scans it with the real command line and the
# default questions, then asks whether Apple devices would still connect, and writes that as a page. Ends with 0 when all
# of that worked, whatever the lab's weaknesses: of a check 0, 1 and 3 are answers.
set -eu
folder=$(mktemp -d)
tlswire lab legacy-mdm --port 0 --port-file "$folder/port" >"$folder/log" 2>&1 &
lab=$!
trap 'kill "$lab" 2>/dev/null || true; rm -rf "$folder"' EXIT
waited=0
while [ ! -s "$folder/port" ]; do
    kill -0 "$lab" 2>/dev/null || { cat "$folder/log" >&2; exit 1; }
    [ "$waited" -lt 100 ] || { echo 'the lab did not start within 10 s' >&2; exit 1; }
    waited=$((waited + 1))
    sleep 0.1
done
port=$(cat "$folder/port")
echo "\$ tlswire scan localhost:$port --questions default    # the lab: an MDM server as one met them ten years ago"
echo
tlswire scan "localhost:$port" --questions default
page=${DEMO_PAGE:-demo.html}
echo
echo "\$ tlswire check localhost:$port --html $page    # will Apple devices still connect?"
echo
code=0
tlswire check "localhost:$port" --html "$page" || code=$?
case $code in 0 | 1 | 3) ;; *) exit "$code" ;; esac
echo
echo "The same as a page: $(pwd)/$page"
