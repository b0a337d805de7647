# Counts per role on standard output, a manifest that `data split` takes, and no output where a pair
# is broken.
voxloom wire prepare --data "$EXAMPLES/rossa" -o a.jsonl >counts.txt
grep -qE '^train +8 samples' counts.txt
grep -qE '^val +4 samples.* vessel 1[0-9]\.[0-9]+ %' counts.txt
[ "$(wc -l <a.jsonl)" = 13 ]
expect 1 'use --force to overwrite' voxloom wire prepare --data "$EXAMPLES/rossa" -o a.jsonl
voxloom data split a.jsonl --val-share 0.25 --seed 3 -o b.jsonl >split.txt
grep -qE '^train +6 samples' split.txt
voxloom wire prepare --json --data "$EXAMPLES/rossa" -o c.jsonl >c.json
grep -q "fingerprint" c.json

cp -r "$EXAMPLES/rossa" broken
rm broken/train_manual/label/17.png
head -c 100 "$EXAMPLES/rossa/val/image/105.png" >broken/val/image/105.png
expect 1 'got 2 problems' voxloom wire prepare --data broken -o d.jsonl
grep -q "17.png': must have a label" err.txt
grep -q "105.png': must be a valid PNG" err.txt
[ ! -e d.jsonl ]
expect 1 'must have a known layout' voxloom wire prepare --data . -o d.jsonl
expect 2 'classes: must be ID=CLASS' voxloom wire prepare --data broken --classes wire -o d.jsonl
