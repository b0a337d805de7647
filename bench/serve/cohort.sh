#!/usr/bin/env bash
# A cohort of 50 cases over 3 worker processes, one of them killed (kill -9) in the middle; on
# SQLite, on PostgreSQL (a server of its own in a temporary folder; left out where its programs are
# not installed) and as three shards without a database. Prints a table, ends with 1 when a case is
# missing or was published twice.
# usage: bench/serve/cohort.sh [PROGRAM]    CASES=50 LEASE_S=5 in the environment
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
VOXLOOM=$(readlink -f "${1:-$root/build/release/bin/voxloom}")
cases=${CASES:-50} lease=${LEASE_S:-5}
work=$(mktemp -d /tmp/cohort-XXXXXX)
programs=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -1 || true)
as_user=()
stop_postgres() {
  [ ! -e "$work/pg/data/postmaster.pid" ] ||
    (cd "$work/pg" && "${as_user[@]}" "$programs/pg_ctl" -D data -m immediate -w stop >/dev/null)
}
trap 'stop_postgres; rm -rf "$work"' EXIT

mkdir "$work/in"
for i in $(seq -w 1 "$cases"); do cp "$root/tests/house/image.nrrd" "$work/in/scan_$i.nrrd"; done
# Every start leaves a mark; some time passes, as a real case would take.
cat >"$work/case" <<'SH'
#!/bin/sh
echo "$1" >>"$MARKS"
sleep 0.1
exec "$VOXLOOM" segment "$1" -o "$2" --model geodesic --point 8,8,4 --quiet
SH
chmod +x "$work/case"
export VOXLOOM MARKS
command="$work/case {input} {output}"
status=0

# Kills the first worker when about a third is done.
kill_in_the_middle() {
  until [ "$(ls "$1" 2>/dev/null | grep -c 'nii.gz$')" -ge $((cases / 3)) ]; do sleep 0.02; done
  kill -9 "$2"
}

report() {  # NAME FOLDER SECONDS
  local name=$1 dir=$2 seconds=$3 labels done_lines starts left
  labels=$(ls "$dir/out" | grep -c 'nii.gz$')
  done_lines=$(cat "$dir"/worker_*.txt | grep -c '^done' || true)
  starts=$(wc -l <"$MARKS")
  left=$(ls -A "$dir/out" | grep -c 'part$' || true)
  printf '%-12s %6d %8d %10d %8d %10d %9.1f\n' \
    "$name" "$cases" "$labels" "$done_lines" "$starts" "$left" "$seconds"
  # The killed worker may die between publishing a result and telling so.
  if [ "$labels" != "$cases" ] || [ "$done_lines" -gt "$cases" ] ||
     [ "$done_lines" -lt $((cases - 1)) ] || [ "$left" != 0 ]; then
    status=1
  fi
}

queue_run() {  # NAME DATABASE
  local dir=$work/$1 begin pids=()
  mkdir "$dir"
  MARKS=$dir/marks
  export VOXLOOM_DATABASE=$2
  "$VOXLOOM" queue add cohort "$work"/in/* --command "$command" --output-dir "$dir/out" --quiet >/dev/null
  begin=$(date +%s.%N)
  for i in 1 2 3; do
    "$VOXLOOM" queue work cohort --until-empty --lease-s "$lease" --quiet >"$dir/worker_$i.txt" &
    pids+=($!)
  done
  kill_in_the_middle "$dir/out" "${pids[0]}"
  wait "${pids[1]}" "${pids[2]}"
  wait "${pids[0]}" 2>/dev/null || true
  report "$1" "$dir" "$(echo "$(date +%s.%N) $begin" | awk '{print $1 - $2}')"
  "$VOXLOOM" queue status cohort | grep -q " $cases done, 0 failed" || status=1
}

shard_run() {
  local dir=$work/shards begin pids=()
  mkdir "$dir"
  MARKS=$dir/marks
  begin=$(date +%s.%N)
  shard() {
    exec "$VOXLOOM" queue work cohort "$work"/in/* --shard "$1/3" --command "$command" \
      --output-dir "$dir/out" --quiet >"$dir/worker_$2.txt"
  }
  for i in 1 2 3; do
    shard "$i" "$i" &
    pids+=($!)
  done
  kill_in_the_middle "$dir/out" "${pids[0]}"
  wait "${pids[1]}" "${pids[2]}"
  wait "${pids[0]}" 2>/dev/null || true
  (shard 1 1_again)
  report "shards" "$dir" "$(echo "$(date +%s.%N) $begin" | awk '{print $1 - $2}')"
}

start_postgres() {
  mkdir "$work/pg"
  if [ "$(id -u)" = 0 ]; then
    local user=postgres
    id "$user" >/dev/null 2>&1 || user=nobody
    chmod 755 "$work"
    chown "$user" "$work/pg"
    as_user=(runuser -u "$user" --)
  fi
  cd "$work/pg"
  "${as_user[@]}" "$programs/initdb" -D data -U tester -A trust -E UTF8 -N >log.txt 2>&1
  cat >>data/postgresql.conf <<CONF
listen_addresses = ''
unix_socket_directories = '$work/pg'
CONF
  "${as_user[@]}" "$programs/pg_ctl" -D data -l server.txt -w start >>log.txt 2>&1 </dev/null
  cd "$root"
}

echo "$cases cases, 3 workers, one killed after a third, lease $lease s"
printf '%-12s %6s %8s %10s %8s %10s %9s\n' database cases labels "said done" starts leftovers seconds
queue_run sqlite "sqlite:$work/queue.sqlite"
if [ -n "$programs" ]; then
  start_postgres
  queue_run postgresql "postgresql://tester@/postgres?host=$work/pg"
else
  echo "postgresql   left out: its server programs are not installed"
fi
shard_run
exit "$status"
