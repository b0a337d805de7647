# --listen is the front end of --log-push: filters are its own.
export VOXLOOM_LOG_TOKEN=0123456789abcdef-token
"$VOXLOOM" logs --listen 127.0.0.1:0 --level warn >got.txt 2>said.txt &
front_end=$!
until grep -q 'taking logs at port' said.txt; do sleep 0.02; done
port=$(sed -n 's/.*at port //p' said.txt)
mkfifo feed
"$LOG_SERVER" push "127.0.0.1:$port" "$VOXLOOM_LOG_TOKEN" <feed &
exec 3>feed
printf 'info 1\nwarn 2\nerror 3\n' >&3
until grep -q 'request=3' got.txt; do sleep 0.02; done
wc -l <got.txt | grep -x 2
grep 'sends its log' said.txt
exec 3>&-
until grep -q 'is gone' said.txt; do sleep 0.02; done
kill -INT $front_end
wait
