#!/usr/bin/env bash
# One network trained by two ranks on two hosts, which are network namespaces of this machine: what happens when a link is cut, a
# rank is killed, stopped, late, absent or looks for the first one at a wrong address. Needs root. Leaves nothing behind.
# Usage: tests/cluster/ranks.sh path/to/bnlab
set -euo pipefail
bnlab=$(realpath "$1")
work=$(mktemp -d /tmp/bnlab-ranks.XXXXXX)
tag=b$$
patience=4  # seconds after which a rank is lost
address=10.$((RANDOM % 200 + 20)).$((RANDOM % 250)).1
other=${address%.1}.2
port=29701

leave() {
  local status=$?
  jobs -p | xargs -r kill -KILL 2>/dev/null || true
  wait 2>/dev/null || true
  ip netns del "${tag}0" 2>/dev/null || true
  ip netns del "${tag}1" 2>/dev/null || true
  if [ $status -ne 0 ]; then
    echo "ranks.sh: failed; what was said:" >&2
    tail -n 5 "$work"/*.log >&2 2>/dev/null || true
  fi
  rm -rf "$work"
  exit $status
}
trap leave EXIT

fail() { echo "ranks.sh: $*" >&2; exit 1; }

if ! ip netns add "${tag}0" 2>/dev/null; then
  echo "ranks.sh: SKIPPED: this system lets nobody make network namespaces (it takes root)"
  exit 77
fi
ip netns add "${tag}1"
ip link add "${tag}v0" netns "${tag}0" type veth peer name "${tag}v1" netns "${tag}1"
ip -n "${tag}0" addr add "$address/24" dev "${tag}v0"
ip -n "${tag}1" addr add "$other/24" dev "${tag}v1"
for rank in 0 1; do
  ip -n "$tag$rank" link set lo up
  ip -n "$tag$rank" link set "${tag}v$rank" up
done

arguments=(train --data gaussian --model mlp --model-option width=32 --norm batch --batch 24 --steps 500 --lr 0.05
           --probe accuracy:every=100 --ranks 2 --rank-timeout $patience --checkpoint-seconds 0.1)

# rank N OUT [MASTER_ADDR]: starts that rank on its host, in the background; $! is it.
rank() {
  ip netns exec "$tag$1" env RANK="$1" WORLD_SIZE=2 MASTER_ADDR="${3:-$address}" MASTER_PORT=$port \
    "$bnlab" "${arguments[@]}" --out "$work/$2" >>"$work/$2-$1.log" 2>&1 &
}
rows_of() {
  python3 - "$1" <<'P'
import glob, sqlite3, sys
for run in sorted(glob.glob(sys.argv[1] + '/runs/*')):
    for row in sqlite3.connect(run + '/run.sqlite').execute('SELECT probe, layer, name, step, value FROM scalars ORDER BY 1, 2, 3, 4'):
        print(row)
P
}
under_way() { ls "$work/$1"/runs/*/checkpoint.pt >/dev/null 2>&1; }
until_under_way() {
  local end=$((SECONDS + 60))
  until under_way "$1"; do [ $SECONDS -lt $end ] || fail "$1: nothing was begun"; sleep 0.1; done
}
# ends PID STATUS SECONDS WHAT
ends() {
  local status=0 start=$SECONDS
  timeout "$3" tail --pid="$1" -f /dev/null || fail "$4: still at work after $3 s"
  wait "$1" || status=$?
  [ $status -eq "$2" ] || fail "$4: exit status $status, expected $2"
}
# says NAME RANK PATTERN: one sentence, no more.
says() {
  local last
  last=$(tail -n 1 "$work/$1-$2.log")
  grep -qiE "$3" <<<"$last" || fail "$1: rank $2 said: $last"
  ! grep -qE "terminate called|c10::|Exception raised from|core dumped" "$work/$1-$2.log" || fail "$1: rank $2 said more than a sentence"
}
both_end_well() {
  rank 0 "$1"; local first=$!
  rank 1 "$1"; local second=$!
  ends $first 0 120 "$1, rank 0"
  ends $second 0 20 "$1, rank 1"
}
same_command_goes_on() {
  both_end_well "$1"
  cmp -s <(rows_of "$work/whole") <(rows_of "$work/$1") || fail "$1: other results than without it"
  echo "ok: $1"
}

both_end_well whole
[ "$(rows_of "$work/whole" | wc -l)" -gt 500 ] || fail "whole: hardly anything was recorded"
"$bnlab" "${arguments[@]}" --out "$work/local" >"$work/local.log" 2>&1 || fail "local: $(tail -n 1 "$work/local.log")"
cmp -s <(rows_of "$work/whole") <(rows_of "$work/local") || fail "two hosts give other bits than one"
echo "ok: whole, the same bits on two hosts as on one"

for lost in 1 0; do
  name=killed-$lost
  rank 0 $name; pids=($!)
  rank 1 $name; pids+=($!)
  until_under_way $name
  kill -KILL "${pids[$lost]}"
  left=$((1 - lost))
  ends "${pids[$left]}" 1 $((patience + 4)) "$name, rank $left"
  says $name $left "rank"
  wait "${pids[$lost]}" 2>/dev/null || true
  same_command_goes_on $name
done

rank 0 stopped; first=$!
rank 1 stopped; second=$!
until_under_way stopped

kill -STOP $second
ends $first 1 $((patience + 6)) "stopped, rank 0"
says stopped 0 "answer|$patience s"
kill -CONT $second
ends $second 1 $((patience + 6)) "stopped, rank 1"
same_command_goes_on stopped

rank 0 cut; first=$!
rank 1 cut; second=$!
until_under_way cut
ip -n "${tag}1" link set "${tag}v1" down
ends $first 1 $((patience + 6)) "cut, rank 0"
ends $second 1 $((patience + 6)) "cut, rank 1"
says cut 0 "answer|$patience s"
ip -n "${tag}1" link set "${tag}v1" up
same_command_goes_on cut

rank 0 flapping; first=$!
rank 1 flapping; second=$!
until_under_way flapping
ip -n "${tag}1" link set "${tag}v1" down; sleep 1; ip -n "${tag}1" link set "${tag}v1" up
ends $first 0 120 "flapping, rank 0"
ends $second 0 20 "flapping, rank 1"
cmp -s <(rows_of "$work/whole") <(rows_of "$work/flapping") || fail "flapping: other results than without it"
echo "ok: flapping"

rank 0 late; first=$!
sleep 2
rank 1 late; second=$!
ends $first 0 120 "late, rank 0"
ends $second 0 20 "late, rank 1"
echo "ok: late"

rank 0 absent; first=$!
ends $first 1 $((2 * patience + 10)) "absent, rank 0"
says absent 0 "rank"
rank 1 absent; second=$!
ends $second 1 $((2 * patience + 10)) "absent, rank 1"
says absent 1 "$address:$port|$address"
rank 1 wrong "${address%.1}.9"; second=$!
ends $second 1 $((2 * patience + 10)) "wrong address, rank 1"
says wrong 1 "${address%.1}.9"
echo "ok: absent, wrong address"
echo "ranks.sh: all well after $SECONDS s"
