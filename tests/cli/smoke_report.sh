#!/usr/bin/env bash
# Runs every experiment at smoke scale on Fashion-MNIST and opens the report in headless Chromium: figures rendered, no
# console error, a second run computes nothing. Usage: smoke_report.sh PATH_OF_BNLAB
set -euo pipefail
program=$1
here=$(cd "$(dirname "$0")" && pwd)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"$program" reproduce --scale smoke --out "$out"
node "$here/../browser/check_report.mjs" "$out/report.html"
"$program" reproduce --scale smoke --out "$out" 2>&1 | tee "$out/again.txt"
grep -Eq '([0-9]+) runs, \1 already done' "$out/again.txt" || { echo "the second run computed runs again" >&2; exit 1; }
