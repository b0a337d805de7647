# Twelve cases, three workers, one of them killed: every case is done, and published once.
for i in $(seq 1 12); do cp "$SOURCE/tests/house/image.nrrd" "scan_$i.nrrd"; done
# Each start leaves a mark; the worker with HOLD never gets its case done.
cat >slowly <<'SH'
#!/bin/sh
echo "$1 $HOLD" >>"$MARKS"
[ -z "$HOLD" ] || exec sleep 600
sleep 0.2
exec "$VOXLOOM" segment "$1" -o "$2" --model geodesic --point 8,8,4 --quiet
SH
chmod +x slowly
export MARKS=$PWD/marks VOXLOOM
voxloom queue add study scan_*.nrrd --command './slowly {input} {output}' --output-dir out >added
grep -q "12 cases added, 0 were there" added
voxloom queue add study scan_1.nrrd --command './slowly {input} {output}' --output-dir out >added
grep -q "0 cases added, 1 were there; 12 in all" added

work() { exec "$VOXLOOM" queue work study --until-empty --lease-s 2 --quiet; }
HOLD=held work >one.txt & one=$!
work >two.txt & two=$!
work >three.txt & three=$!
until grep -q "held$" marks; do sleep 0.05; done
voxloom queue status study | grep -q "running scan_.* by .*:$one, attempt 1"
kill -9 "$one"
wait "$two"
wait "$three"
wait "$one" || true

voxloom queue status study >status
grep -q "0 waiting, 0 running, 12 done, 0 failed; 12 in all" status
[ "$(ls out/*.nii.gz | wc -l)" = 12 ]
[ "$(ls -A out | wc -l)" = 24 ]  # labels and their side files, nothing else
[ "$(cat one.txt two.txt three.txt | grep -c '^done')" = 12 ]
[ "$(wc -l <marks)" = 13 ]  # the killed worker's case was started twice
for i in $(seq 2 12); do "$DIFF" voxels out/scan_1.nii.gz "out/scan_$i.nii.gz"; done
grep -q "\"label\": \"$PWD/out/scan_3.nii.gz\"" out/scan_3.json
