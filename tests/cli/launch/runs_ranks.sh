# Several processes of one command: what they are told, what is shown of them, how they end.
voxloom launch --processes 2 --threads 4 -- sh -c 'echo "$RANK/$WORLD_SIZE $VOXLOOM_THREADS"; echo err >&2' \
  >out.txt 2>err.txt
sort out.txt | tr '\n' ';' | grep -qx 'rank 0: 0/2 2;rank 1: 1/2 2;'
grep -qx 'rank 0: err' err.txt
# One process says it without its rank.
[ "$(voxloom launch -- echo alone)" = alone ]
# The word voxloom is this program, and --help behind "--" is that of the command.
voxloom launch --processes 2 -- voxloom wire train --help >help.txt
grep -q '^rank 0: .*voxloom wire train' help.txt
voxloom launch --help >help.txt
grep -q 'voxloom launch' help.txt
# Logs of each rank; rank 0 is shown.
[ "$(voxloom launch --processes 2 --log-dir logs -- sh -c 'echo I am $RANK')" = 'I am 0' ]
grep -qx 'I am 1' logs/rank-1.log
# The rank that failed gives its code and ends the others.
expect 7 'voxloom launch: rank 1 ended with status 7' \
  voxloom launch --processes 2 -- sh -c '[ $RANK = 1 ] && exit 7; exec sleep 600'
expect 137 'rank 0 was ended by signal 9' \
  voxloom launch --processes 2 -- sh -c '[ $RANK = 0 ] && kill -9 $$; exec sleep 600'
# SIGTERM reaches the ranks.
"$VOXLOOM" launch --processes 2 -- sh -c 'trap "echo asked; exit 3" TERM; echo up; while :; do sleep 0.1; done' \
  >stopped.txt 2>err.txt &
launcher=$!
while [ "$(grep -c up stopped.txt)" != 2 ]; do sleep 0.1; done
kill -TERM $launcher
status=0; wait $launcher || status=$?
[ "$status" != 0 ]
[ "$(grep -c asked stopped.txt)" = 2 ]
grep -q 'stopped on request' err.txt
expect 1 "program 'no-such-program' is not found" voxloom launch --processes 2 -- no-such-program
expect 2 'COMMAND' voxloom launch --processes 2
expect 2 '--nodes 2: needs --master' voxloom launch --nodes 2 -- true
expect 2 '--node-rank: must be below --nodes 2, got 2' voxloom launch --nodes 2 --node-rank 2 --master a:1 -- true
expect 2 'must be HOST:PORT' voxloom launch --master nowhere -- true
