# The past, then what comes, filtered; a wrong token learns nothing and says what may be wrong.
token=0123456789abcdef-token
mkfifo feed
"$LOG_SERVER" listen port "$token" <feed &
exec 3>feed
until [ -e port ]; do sleep 0.02; done
at=127.0.0.1:$(cat port)
printf 'info 1\nwarn 2\nerror 3\n' >&3
echo "$token" >token.txt
follow() { voxloom logs --connect "$at" --token-file token.txt "$@"; }
until [ "$(follow --no-follow --quiet | wc -l)" = 3 ]; do sleep 0.02; done

follow --no-follow --quiet >all.txt
grep -E '^20[0-9-]+T[0-9:.]+Z error test +a record of the test request=3$' all.txt
if grep -q $'\x1b' all.txt; then exit 1; fi  # no colour into a file
follow --no-follow --quiet --lines 2 | sed -n 1p | grep 'request=2'
follow --no-follow --quiet --level warn | wc -l | grep -x 2
VOXLOOM_LOG_TOKEN=$token voxloom logs --connect "$at" --no-follow --request 1 --json 2>said.txt >one.json
grep '^{"time":".*"level":"info","event":"test",.*"request":1}$' one.json
wc -l <one.json | grep -x 1
grep 'following' said.txt

# Live, until Ctrl-C, which is a normal end.
"$VOXLOOM" logs --connect "$at" --token-file token.txt --lines 0 >live.txt 2>live.err &
follower=$!
until grep -q following live.err; do sleep 0.02; done
echo 'warn 77' >&3
until grep -q 'request=77' live.txt; do sleep 0.02; done
# A shell has background commands ignore SIGINT; the program sets its own handler all the same.
kill -INT $follower
wait $follower
wc -l <live.txt | grep -x 1

echo 'another-token-of-nobody' >wrong.txt
expect 1 "no log from '$at'.*wrong token" voxloom logs --connect "$at" --token-file wrong.txt
exec 3>&-
wait
expect 1 "no log from '$at': Connection refused" follow
expect 1 "token.*must be 16 to 256" env VOXLOOM_LOG_TOKEN=short "$VOXLOOM" logs --connect "$at"
expect 1 "give a file with it" voxloom logs --connect "$at"
expect 2 "give --connect or --listen" voxloom logs
expect 2 "must be HOST:PORT" voxloom logs --connect nowhere
expect 2 "are for --listen" voxloom logs --connect "$at" --certificate a --key b
expect 2 "are for --connect" voxloom logs --listen "$at" --tls
