# A full-size package with stand-in weights is trained further for one update on two small volumes,
# and `segment` takes what comes out.
"$CHECKPOINT" "$SOURCE/tests/golden/medsam2/keys/medsam2.txt" MedSAM2_latest.pt
voxloom model convert MedSAM2_latest.pt -o packages/medsam2 --no-gate --quiet >/dev/null
rm MedSAM2_latest.pt

# nrrd INSIDE OUTSIDE X: four slices of 48 x 40 with a block at column X on slices 1 to 3.
nrrd() {
  printf 'NRRD0004\ntype: uint8\ndimension: 3\nsizes: 48 40 4\nspacings: 1 1 2\nencoding: raw\n\n'
  LC_ALL=C awk -v inside="$1" -v outside="$2" -v left="$3" 'BEGIN {
    for (z = 0; z < 4; ++z) for (y = 0; y < 40; ++y) for (x = 0; x < 48; ++x)
      printf "%c", z > 0 && y > 9 && y < 30 && x >= left && x < left + 16 ? inside : outside
  }'
}
mkdir -p set/image set/label
for x in 8 20; do
  nrrd 200 50 $x >set/image/block$x.nrrd
  nrrd 3 0 $x >set/label/block$x.nrrd
done
train=(voxloom segment train --data set --model ./packages/medsam2 -o run --max-steps 1 --epochs 1
  --clips-per-case 1 --accumulation 1 --frames 2 --clicks 1 --conditioning-frames 1
  --corrected-frames 1 --histograms false --amp off --quiet --licence own)
"${train[@]}" >trained.txt
grep -q '^dice before ' trained.txt
grep -q '^dice ' trained.txt
for file in run.yaml metrics.jsonl report.html checkpoints/last.safetensors model/card.md; do
  [ -s "run/$file" ]
done
grep -q 'task: segment' run/model/model.yaml
grep -q 'licence: own' run/model/model.yaml
voxloom model verify run/model >/dev/null
# Other weights than before.
! cmp -s run/model/weights.safetensors packages/medsam2/weights.safetensors
voxloom segment set/image/block8.nrrd --model ./run/model --box 8,10,2,23,29,2 -o label.nrrd --quiet
"$DIFF" geometry label.nrrd set/image/block8.nrrd

expect 1 'use --resume to go on' "${train[@]}"
expect 1 'clicks' "${train[@]}" --resume --seed 4 --clicks 2
mkdir lonely lonely/image lonely/label
cp set/image/block8.nrrd lonely/image/
expect 1 'without partner: image/block8.nrrd' "${train[@]/#set/lonely}" --force
expect 1 "model 'nothing'" "${train[@]/#.\/packages\/medsam2/nothing}" --force
