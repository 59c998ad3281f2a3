#!/bin/sh
# From nothing to a scored lead: simulate a market, train, promote, score over HTTP, rescore all, show the paths.
# SERVE=1 keeps the service running. Everything it makes lies in .demo/.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"
export LEADLIFT_HOME="$PWD/.demo/home"
# Port 3000, or any free one where something else listens there already.
PORT=$(python -c 'import socket
for port in (3000, 0):
    try:
        with socket.socket() as s: s.bind(("127.0.0.1", port)); print(s.getsockname()[1]); break
    except OSError: pass')
ADDRESS="http://127.0.0.1:$PORT"
step() { printf '\n\033[1m== %s\033[0m\n' "$1"; }

rm -rf .demo && mkdir -p .demo

step "1/6 A market with a known truth"
leadlift simulate .demo/market --leads 10000 --days 365 --seed 7

step "2/6 Train, judge against the points, promote"
leadlift train .demo/market --trials 3 --promote

step "3/6 Serve"
leadlift serve --market market --port "$PORT" > .demo/serve.log 2>&1 &
SERVER=$!
trap 'kill "$SERVER" 2>/dev/null; wait "$SERVER" 2>/dev/null' EXIT INT TERM
python - "$ADDRESS" <<'WAIT'
import sys, time, urllib.request
for _ in range(120):
    try:
        print(urllib.request.urlopen(sys.argv[1] + "/readyz", timeout=2).read().decode()); break
    except OSError:
        time.sleep(0.5)
else:
    sys.exit("the service did not start; see .demo/serve.log")
WAIT

step "4/6 Score one lead over HTTP, and the same without a server"
python - "$ADDRESS" <<'SCORE'
import subprocess, sys, urllib.request
body = open("tests/samples/lead.json", "rb").read()
request = urllib.request.Request(sys.argv[1] + "/v1/score", data=body, headers={"Content-Type": "application/json"})
over_http = urllib.request.urlopen(request, timeout=30).read()
print(over_http.decode())
by_hand = subprocess.run(["leadlift", "score", "--file", "tests/samples/lead.json", "--market", "market"],
                         capture_output=True, check=True).stdout.rstrip(b"\n")
print("the same bytes without a server:", over_http == by_hand)
sys.exit(over_http != by_hand)
SCORE

leadlift openapi | cmp - docs/openapi.json && echo "its interface is docs/openapi.json, also at $ADDRESS/openapi.json"

step "5/6 Rescore every lead"
leadlift rescore .demo/market --out .demo/scores --reasons ready

step "6/6 Which content paths convert"
leadlift paths .demo/market --publish

printf '\nThe service answered at %s (POST /v1/score; the page is %s/insights/). Run make demo SERVE=1 to keep it running.\n' \
    "$ADDRESS" "$ADDRESS"
if [ "${SERVE:-}" = "1" ]; then
    echo "Serving; stop with Ctrl-C."
    wait "$SERVER"
fi
