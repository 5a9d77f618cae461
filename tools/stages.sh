#!/usr/bin/env bash
# Makes the named targets one after the other and says how long each took. Usage: tools/stages.sh TARGET...
set -euo pipefail
cd "$(dirname "$0")/.."
report=""
for target in "$@"; do
  begin=$SECONDS
  ${MAKE:-make} --no-print-directory "$target" || { printf '%sStage %s failed after %d s.\n' "$report" "$target" $((SECONDS - begin)); exit 1; }
  report+=$(printf 'Stage %-14s %5d s' "$target" $((SECONDS - begin)))$'\n'
done
printf '%sAll stages: %d s.\n' "$report" "$SECONDS"
