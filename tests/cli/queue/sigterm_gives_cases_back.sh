# A worker that is asked to end stops its command and returns the case untried.
cp "$SOURCE/tests/house/image.nrrd" scan.nrrd
voxloom queue add study scan.nrrd --command "sh -c 'sleep 600' {input} {output}" --output-dir out
"$VOXLOOM" queue work study >work.txt 2>work.err & worker=$!
until voxloom queue status study | grep -q "1 running"; do sleep 0.05; done
kill -TERM "$worker"
status=0
wait "$worker" || status=$?
[ "$status" = 1 ]
grep -q "stopped on request; 1 cases went back" work.err
voxloom queue status study | grep -q "1 waiting, 0 running"
[ -z "$(ls -A out)" ]
