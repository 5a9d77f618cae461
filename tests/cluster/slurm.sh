#!/usr/bin/env bash
# bnlab on a throw-away Slurm with three nodes on this host: job arrays of `bnlab reproduce`, and ranks under srun and mpirun.
# Leaves nothing behind. Usage: tests/cluster/slurm.sh path/to/bnlab [CASE]...
set -euo pipefail
bnlab=$(realpath "$1")
[ $# -gt 1 ] || set -- "$1" array ctrl-c killed lost requeued cancelled two_nodes lost_rank mpirun
nodes=3
work=$(mktemp -d /tmp/bnlab-slurm.XXXXXX)
chmod 755 "$work"
source "$(dirname "$0")/throwaway_slurm.sh"

plan=(--scale smoke --data gaussian --only santurkar-fig1 --workers 1 --checkpoint-seconds 0)
on_slurm=(--executor slurm --slurm-args "--time=10" --array)
# A checkpoint a step, so that a run takes long enough to be killed in the middle.
network=(train --data gaussian --model mlp --model-option width=32 --norm batch --batch 24 --steps 60 --lr 0.05 --threads 1
         --probe accuracy:every=20 --ranks 2 --rank-timeout 60 --checkpoint-seconds 0)

reproduce() { local out=$1; shift; "$bnlab" reproduce "${plan[@]}" --out "$work/$out" "$@"; }
# submit NAME LOG ELEMENTS [OPTION]...: in the background; $submitter is it.
submit() {
  local out=$1 log=$2; shift 2
  "$bnlab" reproduce "${plan[@]}" --out "$work/$out" "${on_slurm[@]}" "$@" >"$work/$log.log" 2>&1 &
  submitter=$!
}
train() { local out=$1; shift; "$@" "$bnlab" "${network[@]}" --out "$work/$out"; }

rows_of() {
  python3 - "$work/$1" <<'P'
import glob, os, sqlite3, sys
for run in sorted(glob.glob(sys.argv[1] + '/runs/*')):
    db = sqlite3.connect(run + '/run.sqlite')
    print(os.path.basename(run), *db.execute("SELECT value FROM meta WHERE key = 'state'"))
    for row in db.execute('SELECT probe, layer, name, step, value FROM scalars ORDER BY 1, 2, 3, 4'): print(row)
    for row in db.execute('SELECT probe, layer, name, step, hex(data) FROM arrays ORDER BY 1, 2, 3, 4'): print(row)
P
}
# same_rows NAME REFERENCE, whose rows are in REFERENCE.rows. Also says how long the case took.
same_rows() {
  [ "$(wc -l <"$work/$2.rows")" -ge 100 ] || fail "$2: hardly anything was recorded"
  rows_of "$1" >"$work/$1.rows"
  cmp -s "$work/$2.rows" "$work/$1.rows" || fail "$1: other results than without it"
  echo "ok: $1, $((SECONDS - case_start)) s"
}
# ends PID STATUS WHAT
ends() {
  local status=0
  timeout 240 tail --pid="$1" -s 0.1 -f /dev/null || fail "$3: still at work after 240 s"
  wait "$1" || status=$?
  [ $status -eq "$2" ] || fail "$3: exit status $status, expected $2"
}

job_of() { sed -E 's/.*"id": ?"([0-9]+)".*/\1/' "$work/$1/cluster/job.json"; }
# field NAME LEASE
field() { sed -nE "s/.*\"$1\": ?\"?([^\",}]*).*/\1/p" "$2"; }
no_element_left() { [ -z "$(squeue -h -j "$1" 2>/dev/null)" ]; }
has_started() { [ "$(ls "$work/$1"/runs/*/lease 2>/dev/null | wc -l)" -ge "$2" ]; }
has_started_or_ended() { has_started "$1" "$2" || ! lives "$3"; }
# until_started NAME RUNS [SUBMITTER]
until_started() {
  within 120 has_started_or_ended "$1" "$2" "${3:-$$}" && has_started "$1" "$2" || fail "$1: nothing was begun"
}

is_stopped() { grep -q "^State:.T" "/proc/$1/status"; }
is_held() { [ "$(field released "$1")" = false ]; }
# step_of RUN: that of its last checkpoint, 0 if there is none yet. Fails if the run has ended or is about to. Asks for no
# lock: most of the time, a run that is stopped holds one. What it was writing, its successor takes back.
step_of() {
  python3 - "$1" <<'P'
import sqlite3, sys
db = sqlite3.connect('file:' + sys.argv[1] + '/run.sqlite?immutable=1', uri=True)
if db.execute('SELECT count(*) FROM ends').fetchone() != (0,): sys.exit(1)
print(db.execute('SELECT coalesce(max(step), 0) FROM checkpoints').fetchone()[0])
P
}
# stop_worker NAME [HOST]: stops a process (of another host than that) in the middle of a run, so that nothing can happen
# before it is killed or goes on. Sets run, worker and host.
stop_worker() {
  for lease in "$work/$1"/runs/*/lease; do
    run=$(dirname "$lease") worker=$(field pid "$lease") host=$(field host "$lease")
    is_held "$lease" && [ "$host" != "${2:-}" ] && kill -STOP "$worker" || continue
    within 5 is_stopped "$worker" && is_held "$lease" && [ "$(field pid "$lease")" = "$worker" ] && step_of "$run" && return
    kill -CONT "$worker"
  done
  return 1
}
generation() { field generation "$1/lease"; }
# element_of PROCESS: it and all above it, up to Slurm's process for the element, which comes first.
element_of() {
  local pid=$1 found=""
  while [ "$pid" -gt 1 ]; do
    found="$pid $found"
    [ "$(cat "/proc/$pid/comm")" = slurmstepd ] && echo "$found" && return
    pid=$(awk '$1 == "PPid:" { print $2 }' "/proc/$pid/status")
  done
  return 1
}

array() {  # ends a plan; several elements take part
  reproduce array "${on_slurm[@]}" 3 >"$work/array.log" 2>&1
  [ "$(grep -ho '"host":"n[123]"' "$work"/array/runs/*/lease | sort -u | wc -l)" -ge 2 ] || fail "one node did it all"
  grep -q "The report is at" "$work/array.log" || fail "no report"
  "$bnlab" status "$work/array" >/dev/null || fail "array: not all runs are done: $("$bnlab" status "$work/array")"
  same_rows array alone
}

ctrl-c() {  # of the submitter leaves the job alone; the same command finds it again
  submit ctrl-c ctrl-c 2
  until_started ctrl-c 1 $submitter
  within 30 stop_worker ctrl-c || fail "ctrl-c: nobody is at work"
  kill -INT $submitter
  ends $submitter 130 ctrl-c
  job=$(job_of ctrl-c)
  grep -q "scancel $job" "$work/ctrl-c.log" || fail "ctrl-c: does not say how to stop the job"
  submit ctrl-c again 2
  within 60 grep "Slurm job $job is at work already" "$work/again.log" || fail "ctrl-c: the job was not found again"
  kill -CONT "$worker"
  ends $submitter 0 ctrl-c
  [ "$(job_of ctrl-c)" = "$job" ] || fail "ctrl-c: the job was submitted twice"
  same_rows ctrl-c alone
}

killed() {  # an element: another one takes its run over
  submit killed killed 2 --patience 6
  until_started killed 2 $submitter
  within 30 stop_worker killed || fail "killed: nobody is at work"
  scancel --signal=KILL --full "$(field job "$run/lease")"
  ends $submitter 0 killed
  [ "$(generation "$run")" -ge 2 ] || fail "killed: nobody took the run over"
  same_rows killed alone
}

lost() {  # a node's daemon and element, and the daemon alone of another node, whose element goes on
  submit lost lost 3 --patience 8
  until_started lost 3 $submitter
  within 30 stop_worker lost || fail "lost: nobody is at work"
  local lost_run=$run lost_host=$host
  kill_daemon "${host#n}" $(element_of "$worker")
  within 30 stop_worker lost "$lost_host" || fail "lost: only one node is at work"
  kill_daemon "${host#n}"
  kill -CONT "$worker"
  ends $submitter 0 lost
  [ "$(generation "$lost_run")" -ge 2 ] || fail "lost: nobody took over what the lost node was at"
  [ "$(field host "$lost_run/lease")" != "$lost_host" ] || fail "lost: the lost node ended its run"
  for other in "$work"/lost/runs/*; do
    [ "$other" = "$lost_run" ] || [ "$(generation "$other")" -eq 1 ] || fail "lost: $other was computed twice"
  done
  [ "$(field host "$run/lease")" = "$host" ] || fail "lost: the element whose node lost its daemon did not go on"
  same_rows lost alone
  mend_nodes
}

# Instead of after two minutes; a node takes no job again in the second in which it ended there.
goes_on_soon() { squeue -h -j "$1" -o %T | grep -qx PENDING && scontrol update jobid="$1" StartTime=now+3seconds; }
was_requeued() { scontrol -o show job "$1" | grep -q "Restarts=1"; }
requeued() {  # stopped as near its time limit, an element stores its work and goes on later
  reproduce requeued "${on_slurm[@]}" 1 --detach >"$work/requeued.log" 2>&1
  job=$(job_of requeued)
  until_started requeued 2
  scancel --signal=TERM --batch "${job}_0"
  within 60 grep -q "goes on later" "$work/requeued/cluster/slurm-${job}_0.log" || fail "requeued: it did not ask for it"
  within 30 was_requeued "$job" || fail "requeued: Slurm does not start it again"
  within 30 goes_on_soon "$job" || fail "requeued: it does not wait to be started again"
  reproduce requeued "${on_slurm[@]}" 3 >"$work/requeued-again.log" 2>&1
  [ "$(job_of requeued)" = "$job" ] || fail "requeued: submitted a second time though the first one was to go on"
  same_rows requeued alone
}

cancelled() {  # it stays so, and the same command submits the rest
  reproduce cancelled "${on_slurm[@]}" 2 --detach >"$work/cancelled.log" 2>&1
  job=$(job_of cancelled)
  until_started cancelled 1
  scancel "$job"
  within 60 no_element_left "$job" || fail "cancelled: it came back"
  "$bnlab" status "$work/cancelled" >/dev/null && fail "cancelled: status says that all is done"
  reproduce cancelled "${on_slurm[@]}" 2 >"$work/cancelled-again.log" 2>&1
  [ "$(job_of cancelled)" != "$job" ] || fail "cancelled: was not submitted again"
  same_rows cancelled alone
}

on_nodes=(srun -K1 -N 2 -n 2 -w "n1,n2")
two_nodes() {  # two ranks on them compute what two processes of one machine do
  train refused "${on_nodes[@]}" >"$work/refused.log" 2>&1 && fail "srun: nobody told where the ranks are to meet"
  grep -q "^bnlab: MASTER_ADDR is not set: put export MASTER_ADDR" "$work/refused.log" || fail "srun: MASTER_ADDR is not asked for"
  MASTER_ADDR=127.0.0.1 train two_nodes "${on_nodes[@]}" >"$work/two_nodes.log" 2>&1 || fail "srun: exit status $?"
  [ "$(field host "$work"/two_nodes/runs/*/lease)" = n1 ] || fail "srun: the first rank was not on the first node"
  same_rows two_nodes local
}

goes_on_after() { run=$(echo "$work"/lost_rank/runs/*) && [ "$(step_of "$run")" -gt "$1" ]; }
lost_rank() {  # a killed one: the other says so in one sentence, and the same command goes on
  local step=0 log
  printf '#!/bin/sh\necho $$ >"$1-$SLURM_PROCID.pid"\nshift\nexec "$@"\n' >"$work/with-pid"
  chmod +x "$work/with-pid"
  export MASTER_ADDR=127.0.0.1
  for lost in 1 0; do
    log=$work/lost_rank-$lost.log
    train lost_rank "${on_nodes[@]}" "$work/with-pid" "$work/$lost" >"$log" 2>&1 & ranks=$!
    within 120 goes_on_after $step || fail "lost rank $lost: nothing was begun"
    kill -STOP "$(cat "$work/$lost-$lost.pid")"
    within 5 step_of "$run" || fail "lost rank $lost: all was over before"
    kill -KILL "$(cat "$work/$lost-$lost.pid")"
    within 20 none_lives $ranks || fail "lost rank $lost: srun is still at work after 20 s"
    ! wait $ranks || fail "lost rank $lost: srun ended with status 0"
    [ "$(grep -c "bnlab:" "$log")" -eq 1 ] || fail "lost rank $lost: the other one did not say one sentence"
    grep -q "bnlab: rank $((1 - lost)) of 2: .*same command goes on" "$log" || fail "lost rank $lost: the other one does not name it"
    ! grep -qE "terminate called|c10::|Exception raised from|core dumped" "$log" || fail "lost rank $lost: more than a sentence"
    step=$(step_of "$run")
  done
  train lost_rank "${on_nodes[@]}" >"$work/lost_rank.log" 2>&1 || fail "lost rank: the same command: exit status $?"
  [ "$(generation "$run")" -eq 3 ] || fail "lost rank: the same command began anew"
  unset MASTER_ADDR
  same_rows lost_rank local
}

mpirun() {  # Open MPI's, on this host; root may use it only if that is asked for twice
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  train mpirun env mpirun -np 2 --oversubscribe --bind-to none >"$work/mpirun.log" 2>&1 || fail "mpirun: exit status $?"
  same_rows mpirun local
}

# What the others are compared with.
alone() { reproduce alone >/dev/null 2>"$work/alone.log" && rows_of alone >"$work/alone.rows"; }
local_ranks() { train local >/dev/null 2>"$work/local.log" && rows_of local >"$work/local.rows"; }
alone & alone=$!
local_ranks & local=$!
start_slurm
echo "Slurm with $nodes nodes is up after $SECONDS s"
ends $alone 0 "alone"
ends $local 0 "two ranks of one machine"
echo "what to compare with is there after $SECONDS s"
for name in "${@:2}"; do
  case_start=$SECONDS
  "$name"
done
echo "slurm.sh: all well after $SECONDS s"
