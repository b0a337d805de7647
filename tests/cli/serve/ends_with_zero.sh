# A server that is asked to end lets requests end, says so and ends with 0.
mkdir studies
cp "$SOURCE/tests/house/image.nrrd" studies/scan.nrrd
for signal in TERM INT; do
  "$VOXLOOM" serve --studies studies --port 0 --state-dir state >said-$signal.txt 2>&1 &
  server=$!
  until grep -qs 'stop with Ctrl-C' said-$signal.txt; do
    kill -0 $server
    sleep 0.02
  done
  kill -$signal $server
  wait $server
  grep -q 'stopping' said-$signal.txt
done
