# Sourced by slurm.sh. A Slurm of one controller and $nodes nodes, all on this host, below the folder $work; no systemd, no
# cgroups, no accounting. Whatever is started on it ends with the script.
daemons=()       # in the order of their start
node_daemon=()   # by the number of the node

# The processes that were started with this Slurm's configuration: its daemons, and all that they have started.
ours() { grep -lsz "^SLURM_CONF=$work/slurm.conf\$" /proc/[0-9]*/environ | cut -d / -f 3; }
no_job_left() { [ -z "$(squeue -h 2>/dev/null)" ]; }

stop_slurm() {
  local status=$?
  set +e
  trap - EXIT
  for job in $(jobs -p); do [[ " ${daemons[*]} " == *" $job "* ]] || kill -KILL "$job"; done 2>/dev/null
  timeout 10 scancel --user="$(id -un)" >/dev/null 2>&1 && within 10 no_job_left
  for ((i = ${#daemons[@]} - 1; i >= 0; i--)); do kill "${daemons[i]}" 2>/dev/null; done
  within 10 none_lives "${daemons[@]}"
  kill -KILL $(ours) 2>/dev/null  # a daemon that hangs, and what has lost that of its node
  wait 2>/dev/null
  if [ $status -ne 0 ]; then
    echo "slurm.sh: failed; what was said:" >&2
    tail -n 15 "$work"/*.log "$work"/*/cluster/*.log >&2 2>/dev/null
  fi
  rm -rf "$work"
  exit $status
}

fail() { echo "slurm.sh: $*" >&2; exit 1; }
cannot() { echo "slurm.sh: SKIPPED: no Slurm can be started on this system: $*" >&2; exit 77; }

lives() { kill -0 "$1" 2>/dev/null; }
none_lives() { for pid; do ! lives "$pid" || return 1; done; }

# within SECONDS COMMAND...: until the command succeeds.
within() {
  local end=$((SECONDS + $1)); shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.1
  done
}

start_munge() {
  mkdir -m 755 "$work/munge"
  (umask 077 && head -c 1024 /dev/urandom >"$work/munge/key")
  munged --foreground --key-file="$work/munge/key" --socket="$work/munge/socket" --pid-file="$work/munge/pid" \
    --seed-file="$work/munge/seed" --log-file="$work/munge.log" >/dev/null 2>&1 &
  daemons+=($!)
  within 30 test -S "$work/munge/socket" || cannot "munged did not start"
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
    for i in $(seq "$nodes"); do
      mkdir "$work/spool/n$i"
      echo "NodeName=n$i NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + i)) CPUs=1 State=UNKNOWN"
    done
    echo "PartitionName=all Nodes=n[1-$nodes] Default=YES MaxTime=INFINITE State=UP"
  } >"$work/slurm.conf"
  echo "CgroupPlugin=cgroup/v1" >"$work/cgroup.conf"  # slurmd looks for one, though nothing here uses it
  export SLURM_CONF=$work/slurm.conf
}

start_node() {
  slurmd -D -N "n$1" >>"$work/slurmd.n$1.out" 2>&1 &
  daemons+=($!)
  node_daemon[$1]=$!
}

# kill_daemon NODE [PROCESS]...: that node's, and those processes.
kill_daemon() {
  local daemon=${node_daemon[$1]}; shift
  kill -KILL "$daemon" "$@"
  wait "$daemon" 2>/dev/null || true
}

idle_nodes() { sinfo -h -N -t idle -o %N | sort -u | wc -l; }
all_idle() { [ "$(idle_nodes)" -eq "$nodes" ]; }

start_slurm() {
  trap stop_slurm EXIT
  start_munge
  write_configuration
  slurmctld -D -i >"$work/slurmctld.out" 2>&1 &
  daemons+=($!)
  for i in $(seq "$nodes"); do start_node "$i"; done
  within 60 all_idle || cannot "the nodes did not come up: $(sinfo -N -l)"
}

# Brings back the nodes whose daemons are gone, and gives up the jobs that Slurm believes to be on them.
mend_nodes() {
  for i in $(seq "$nodes"); do lives "${node_daemon[$i]}" || start_node "$i"; done
  scancel --user="$(id -un)"
  within 60 all_idle || fail "the nodes did not come back: $(sinfo -N -l)"
}
