#!/usr/bin/env bash
# bnlab on Slurm: a controller and three nodes, all on this host, below a temporary folder; no systemd, no cgroups, no
# accounting. Stops every daemon that it starts. Usage: tests/cluster/slurm.sh path/to/bnlab
set -euo pipefail
bnlab=$(realpath "$1")
nodes=3
work=$(mktemp -d /tmp/bnlab-slurm.XXXXXX)
chmod 755 "$work"
daemons=()

stop_daemons() {
  local status=$?
  scancel --user="$(id -un)" >/dev/null 2>&1 || true
  sleep 1
  for ((i = ${#daemons[@]} - 1; i >= 0; i--)); do kill "${daemons[i]}" 2>/dev/null || true; done
  for daemon in "${daemons[@]}"; do wait "$daemon" 2>/dev/null || true; done
  if [ $status -ne 0 ]; then
    echo "slurm.sh: failed; what was said:" >&2
    tail -n 15 "$work"/*.log "$work"/*/cluster/*.log >&2 2>/dev/null || true
  fi
  rm -rf "$work"
  exit $status
}
trap stop_daemons EXIT

fail() { echo "slurm.sh: $*" >&2; exit 1; }

# within SECONDS COMMAND...: until the command succeeds.
within() {
  local end=$((SECONDS + $1)); shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.3
  done
}

start_munge() {
  mkdir -m 755 "$work/munge"
  (umask 077 && head -c 1024 /dev/urandom >"$work/munge/key")
  munged --foreground --key-file="$work/munge/key" --socket="$work/munge/socket" --pid-file="$work/munge/pid" \
    --seed-file="$work/munge/seed" --log-file="$work/munge.log" >/dev/null 2>&1 &
  daemons+=($!)
  within 20 test -S "$work/munge/socket" || fail "munged did not start"
}

write_configuration() {
  local host port=${BNLAB_SLURM_PORT:-17100}
  host=$(hostname -s)
  mkdir "$work/state" "$work/spool"
  {
    echo "ClusterName=bnlab
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthInfo=socket=$work/munge/socket
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool/%n
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.%n.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
MailProg=/bin/true
KillWait=10
SlurmdTimeout=30
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=2"
    for i in $(seq $nodes); do
      mkdir "$work/spool/n$i"
      echo "NodeName=n$i NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + i)) CPUs=1 State=UNKNOWN"
    done
    echo "PartitionName=all Nodes=n[1-$nodes] Default=YES MaxTime=INFINITE State=UP"
  } >"$work/slurm.conf"
  echo "CgroupPlugin=cgroup/v1" >"$work/cgroup.conf"  # slurmd looks for one, though nothing here uses it
  export SLURM_CONF=$work/slurm.conf
}

idle_nodes() { sinfo -h -N -t idle -o %N | sort -u | wc -l; }
all_idle() { [ "$(idle_nodes)" -eq $nodes ]; }

start_slurm() {
  start_munge
  write_configuration
  slurmctld -D -i >"$work/slurmctld.out.log" 2>&1 &
  daemons+=($!)
  for i in $(seq $nodes); do
    slurmd -D -N "n$i" >"$work/slurmd.n$i.out.log" 2>&1 &
    daemons+=($!)
  done
  within 60 all_idle || fail "the nodes did not come up: $(sinfo -N -l)"
}

plan=(--scale smoke --data gaussian --only santurkar-fig1 --workers 1 --patience 10 --checkpoint-seconds 0)
on_slurm=(--executor slurm --array 3 --slurm-args "--time=10")

rows_of() {
  python3 - "$1" <<'P'
import glob, os, sqlite3, sys
for run in sorted(glob.glob(sys.argv[1] + '/runs/*')):
    db = sqlite3.connect(run + '/run.sqlite')
    print(os.path.basename(run))
    for row in db.execute('SELECT probe, layer, name, step, value FROM scalars ORDER BY 1, 2, 3, 4'): print(row)
    for row in db.execute('SELECT probe, layer, name, step, hex(data) FROM arrays ORDER BY 1, 2, 3, 4'): print(row)
P
}
job_of() { sed -E 's/.*"id": ?"([0-9]+)".*/\1/' "$1/cluster/job.json"; }
started_runs() { ls "$1"/runs/*/lease 2>/dev/null | wc -l; }
has_started() { [ "$(started_runs "$1")" -ge "$2" ]; }
no_element_left() { [ -z "$(squeue -h -j "$1" 2>/dev/null)" ]; }
is_running() { squeue -h -j "$1" -o %T | grep -q RUNNING; }
same_as_alone() {
  "$bnlab" status "$work/$1" >/dev/null || fail "$1: not all runs are done: $("$bnlab" status "$work/$1")"
  cmp -s <(rows_of "$work/alone") <(rows_of "$work/$1") || fail "$1: other results than those of one process"
  echo "ok: $1"
}

start_slurm
echo "Slurm with $nodes nodes is up after $SECONDS s"
"$bnlab" reproduce "${plan[@]}" --out "$work/alone" >/dev/null 2>"$work/alone.log"

# An array ends a plan; several elements took part.
"$bnlab" reproduce "${plan[@]}" "${on_slurm[@]}" --out "$work/array" >"$work/array.log" 2>&1
same_as_alone array
[ "$(grep -ho '"host":"n[123]"' "$work"/array/runs/*/lease | sort -u | wc -l)" -ge 2 ] || fail "one node did it all"
grep -q "The report is at" "$work/array.log" || fail "no report"

# Ctrl-C of the submitter leaves the job alone; the same command finds it again.
"$bnlab" reproduce "${plan[@]}" "${on_slurm[@]}" --out "$work/ctrl-c" >"$work/ctrl-c.log" 2>&1 &
submitter=$!
within 120 has_started "$work/ctrl-c" 1 || fail "ctrl-c: nothing was begun"
kill -INT $submitter
status=0; wait $submitter || status=$?
[ $status -eq 130 ] || fail "ctrl-c: exit status $status"
job=$(job_of "$work/ctrl-c")
grep -q "scancel $job" "$work/ctrl-c.log" || fail "ctrl-c: does not say how to stop the job"
"$bnlab" reproduce "${plan[@]}" "${on_slurm[@]}" --out "$work/ctrl-c" >"$work/again.log" 2>&1
[ "$(job_of "$work/ctrl-c")" = "$job" ] || fail "ctrl-c: the job was submitted twice"
grep -q "Slurm job $job is at work already" "$work/again.log" || fail "ctrl-c: the job was not found again"
same_as_alone ctrl-c

# A killed element: another takes its run over.
"$bnlab" reproduce "${plan[@]}" "${on_slurm[@]}" --out "$work/killed" >"$work/killed.log" 2>&1 &
submitter=$!
within 120 has_started "$work/killed" 3 || fail "killed: nothing was begun"
scancel --signal=KILL --full "$(job_of "$work/killed")_0"
wait $submitter || fail "killed: the submitter failed"
same_as_alone killed

# Stopped as near its time limit, an element stores its work and goes on later.
"$bnlab" reproduce "${plan[@]}" --executor slurm --array 1 --detach --out "$work/requeued" >"$work/requeued.log" 2>&1
job=$(job_of "$work/requeued")
within 120 has_started "$work/requeued" 2 || fail "requeued: nothing was begun"
scancel --signal=TERM --batch "${job}_0"
within 60 grep -q "goes on later" "$work/requeued/cluster/slurm-${job}_0.log" || fail "requeued: it did not ask for it"
[ "$(scontrol -o show job "$job" | grep -c 'Restarts=1')" -ge 1 ] || fail "requeued: Slurm does not start it again"
scontrol -o show job "$job" | grep -q "JobState=PENDING" && scontrol update jobid="$job" StartTime=now || true
"$bnlab" reproduce "${plan[@]}" "${on_slurm[@]}" --out "$work/requeued" >"$work/requeued-again.log" 2>&1
[ "$(job_of "$work/requeued")" = "$job" ] || fail "requeued: submitted a second time though the first one was to go on"
same_as_alone requeued

# Cancelled, it stays so, and the same command submits the rest.
"$bnlab" reproduce "${plan[@]}" "${on_slurm[@]}" --detach --out "$work/cancelled" >"$work/cancelled.log" 2>&1
job=$(job_of "$work/cancelled")
within 120 has_started "$work/cancelled" 1 || fail "cancelled: nothing was begun"
scancel "$job"
within 60 no_element_left "$job" || fail "cancelled: it came back"
"$bnlab" status "$work/cancelled" >/dev/null && fail "cancelled: status says that all is done"
"$bnlab" reproduce "${plan[@]}" "${on_slurm[@]}" --out "$work/cancelled" >"$work/cancelled-again.log" 2>&1
[ "$(job_of "$work/cancelled")" != "$job" ] || fail "cancelled: was not submitted again"
same_as_alone cancelled
echo "slurm.sh: all well after $SECONDS s"
