# Two small networks on a few simulated frames, joined, and used as any other package.
simulate=(voxloom wire simulate --size 128 --dose-ngy 400 --without-wire 0 --quiet)
"${simulate[@]}" --sequences 2 --frames 6 --seed 3 -o sim
"${simulate[@]}" --sequences 1 --frames 4 --seed 3 --split val -o sim-val
train=(voxloom wire train --data sim/manifest.jsonl --data sim-val/manifest.jsonl --class guidewire
  --batch 4 --seed 4 --threads 2 --quiet --licence MIT --metric-mode max --validate-every 0)
"${train[@]}" --network detector --network-options '{"width":0.125,"depth":0.33}' --crop 0 --lr 0.004 \
  --epochs 20 --metric ap50 -o boxes >boxes.txt
grep -q '^ap50 ' boxes.txt
grep -q '^recall ' boxes.txt
grep -q 'architecture: detector' boxes/model/model.yaml
# Killed or stopped, it gives the same numbers: two runs are one.
"${train[@]}" --network detector --network-options '{"width":0.125,"depth":0.33}' --crop 0 --lr 0.004 \
  --epochs 20 --metric ap50 -o again --max-steps 6 >/dev/null
expect 1 'epochs|max_steps' "${train[@]}" --network detector --network-options '{"width":0.125}' --crop 0 -o again --resume
expect 1 'own loss' "${train[@]}" --network detector --loss dice-bce -o bad --epochs 1
expect 1 'multiple of 32' "${train[@]}" --network detector --crop 100 -o bad --epochs 1
"${train[@]}" --network hessian-net --network-options '{"widths":"8,8,16","sigmas":"1,2"}' --crops boxes \
  --crop 96 --lr 0.01 --epochs 10 --loss dice-bce --metric dice -o crops >crops.txt
grep -q 'crop_side: 96' crops/model/model.yaml
voxloom wire cascade --detector boxes/model --segmenter crops/model -o joined --min-confidence 0.02 >made.txt
grep -q '^joined$' made.txt
grep -q 'architecture: cascade' joined/model.yaml
grep -q 'crop_side: 96' joined/model.yaml
voxloom model verify joined >/dev/null
expect 1 'use --force' voxloom wire cascade --detector boxes/model --segmenter crops/model -o joined
expect 1 'must be a detector' voxloom wire cascade --detector crops/model --segmenter crops/model -o x
expect 1 "can't segment alone" voxloom wire predict sim-val/image --model boxes/model -o x
# Both engines find the same.
for engine in torch auto; do
  voxloom wire eval --data sim-val/manifest.jsonl --class guidewire --model joined --engine $engine --precision f32 \
    -o report-$engine --json >$engine.json
done
"$VOXLOOM_PYTHON" - <<'P' 2>/dev/null || [ ! -x "$VOXLOOM_PYTHON" ]
import json
a, b = (json.load(open(f"report-{e}/metrics.json"))["metrics"]["dice"]["mean"] for e in ("torch", "auto"))
assert abs(a - b) < 0.01, (a, b)
P
voxloom wire predict sim-val/image/val_00000 --model joined -o out --quiet >lines.jsonl
[ "$(wc -l <lines.jsonl)" = 4 ]
[ "$(ls out/*_mask.png | wc -l)" = 4 ]
voxloom wire track sim-val/image/val_00000 --model joined --results track.jsonl --json >track.json
[ "$(wc -l <track.jsonl)" = 4 ]
grep -q '"p99"' track.json
