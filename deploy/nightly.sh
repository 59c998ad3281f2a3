#!/bin/sh
# One night: what came in, every lead scored, what changed back into the CRM. For cron and systemd; the environment is
# that of leadlift.env. Ends with the first command that fails, and with its exit code; to run it again goes on there,
# and what is done is not done twice.
set -eu

leadlift import "$EXPORTS" --mapping "$MAPPING" --to "$DATASET"
leadlift rescore "$DATASET" --out "$SCORES" --workers "${WORKERS:-1}"
if [ -n "${CRM:-}" ]; then
    leadlift writeback "$SCORES" --for "$CRM" --send
fi
