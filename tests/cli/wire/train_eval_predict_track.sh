# From a data set to a package and its results, on a small network: training that resumes, the
# measurements, masks of pictures, and a stream followed frame by frame.
net=(--network-options '{"widths":"16,16,32","encoder_blocks":"0,1,1","decoder_blocks":"0,0","heads":1}')
voxloom wire prepare --data "$EXAMPLES/rossa" -o rossa.jsonl --quiet >/dev/null
train=(voxloom wire train --data rossa.jsonl "${net[@]}" --batch 2 --crop 64 --augment nnunet --lr 0.005
  --loss dice-bce --metric dice --metric-mode max --seed 4 --threads 1 --quiet --licence MIT)
"${train[@]}" -o whole --epochs 16 >trained.txt
grep -q '^dice ' trained.txt
for file in run.yaml metrics.jsonl report.html model/model.yaml model/weights.safetensors model/card.md; do
  [ -s "whole/$file" ]
done
ls whole/events.out.tfevents.* >/dev/null
grep -q 'task: wire' whole/model/model.yaml
voxloom model verify whole/model >/dev/null
# The same seed gives the same numbers; an option that changes them is refused on resume.
"${train[@]}" -o again --epochs 16 >/dev/null
cmp whole/metrics.jsonl again/metrics.jsonl
cmp whole/model/weights.safetensors again/model/weights.safetensors
expect 1 'use --resume to go on' "${train[@]}" -o whole --epochs 16
expect 1 'batch' "${train[@]/#2/4}" -o whole --epochs 16 --resume

voxloom wire eval --data rossa.jsonl --model whole/model -o report --json --engine torch >eval.json
grep -q '"dice"' report/metrics.json
grep -q 'Worst cases' report/report.html
"$VOXLOOM_PYTHON" - <<'P' 2>/dev/null || [ ! -x "$VOXLOOM_PYTHON" ]
import json
metrics = json.load(open("report/metrics.json"))
assert metrics["cases"] == 4 and len(metrics["per_case"]) == 4, metrics["cases"]
assert metrics["metrics"]["dice"]["mean"] > 0.5, metrics["metrics"]["dice"]
P
# Both engines find the same.
voxloom wire eval --data rossa.jsonl --model whole/model -o report2 --json --precision f32 >eval2.json
expect 1 'holds no sample of the role sealed' voxloom wire eval --data rossa.jsonl --role sealed --model whole/model -o r3

# Simulated frames know their dose and their tips; the ridge filter alone says how hard they are.
voxloom wire simulate -o sim --sequences 2 --frames 2 --size 96 --dose-ngy 900,1000 --without-wire 0 \
  --plain-display --distractors 0 --seed 5 --quiet >/dev/null
voxloom wire eval --data sim/manifest.jsonl --role train --model frangi -o ridge --json >ridge.json
grep -q 'the best one for these very images' ridge/report.html
grep -q 'By detector dose' ridge/report.html
voxloom wire eval --data sim/manifest.jsonl --role train --model whole/model --class guidewire --track -o tracked >/dev/null
grep -q '"dose": "over 100 nGy"' tracked/metrics.json
grep -q 'as the tracker shows them' tracked/report.html
expect 1 'is a filter' voxloom wire eval --data sim/manifest.jsonl --role train --model frangi --track -o r4

voxloom wire predict "$EXAMPLES/rossa/val/image" --model whole/model -o out --probabilities >lines.jsonl
[ "$(wc -l <lines.jsonl)" = 4 ]
[ "$(ls out/*_mask.png out/*_overlay.png out/*_probability.png | wc -l)" = 12 ]
grep -q '"rle"' lines.jsonl
expect 1 'use --force' voxloom wire predict "$EXAMPLES/rossa/val/image" --model whole/model -o out
expect 1 'no PNG or JPEG' voxloom wire predict . --model whole/model -o out2

# Bright vessels as a stream of pictures: the package knows that its objects are bright.
voxloom wire track "$EXAMPLES/rossa/val/image" --model whole/model --results track.jsonl --json >track.json
[ "$(wc -l <track.jsonl)" = 4 ]
grep -q '"centerline"' track.jsonl
grep -q '"p99"' track.json
head -c 1000 /dev/zero >cut.raw
expect 1 'frame 0 must have 4096 bytes' voxloom wire track - --raw 64x64 --model whole/model <cut.raw
expect 1 'need a size' voxloom wire track - --model whole/model <cut.raw
expect 1 'no such file' voxloom wire track nowhere.mp4 --model whole/model
expect 1 "model 'nothing': is no package" voxloom wire track x.mp4 --model nothing
