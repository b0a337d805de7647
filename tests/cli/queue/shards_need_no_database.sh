# Three parts of a list, one of them killed and started again: every case is done, none twice.
for i in $(seq 1 12); do cp "$SOURCE/tests/house/image.nrrd" "scan_$i.nrrd"; done
ls "$PWD"/scan_*.nrrd >list.txt
cat >convert <<'SH'
#!/bin/sh
echo "$1" >>"$MARKS"
[ "$(basename "$1")" != "$HOLD" ] || exec sleep 600
exec "$VOXLOOM" data convert "$1" "$2" --quiet
SH
chmod +x convert
export MARKS=$PWD/marks VOXLOOM
part() {
  exec "$VOXLOOM" queue work study --from list.txt --output-dir out \
    --command './convert {input} {output}' --quiet "$@"
}
HOLD=scan_4.nrrd part --shard 1/3 >one.txt & one=$!
part --shard 2/3 >two.txt & two=$!
(export SLURM_ARRAY_TASK_ID=12 SLURM_ARRAY_TASK_MIN=10 SLURM_ARRAY_TASK_COUNT=3
 part --shard slurm >three.txt) & three=$!
until grep -q 'scan_4' marks; do sleep 0.05; done
kill -9 "$one"
wait "$two"
wait "$three"
wait "$one" || true
(part --shard 1/3 >again.txt)
[ "$(ls out/*.nii.gz | wc -l)" = 12 ]
[ "$(ls -A out | wc -l)" = 12 ]
[ "$(cat one.txt two.txt three.txt again.txt | grep -c '^done')" = 12 ]
[ "$(grep -c '^skipped' again.txt)" = 2 ]
[ "$(wc -l <marks)" = 13 ]  # scan_4 was started twice
for i in $(seq 1 12); do "$DIFF" voxels "scan_$i.nrrd" "out/scan_$i.nii.gz"; done
[ ! -e queue.sqlite ]
