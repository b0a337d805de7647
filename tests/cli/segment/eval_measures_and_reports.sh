# Two small cases: simulated prompts, metrics with intervals, a report that stands alone.
mkdir -p cases/image cases/label
for name in one two; do
  voxloom data convert "$EXAMPLES/vs_mr_dicom" cases/image/$name.nii.gz --quiet
  voxloom segment "$EXAMPLES/vs_mr_dicom" -o cases/label/$name.nii.gz --quiet --model geodesic --point 103,62,28
  rm -f cases/label/$name.json
done
voxloom segment eval --data cases --model geodesic -o report --quiet --json >eval.json
diff <(grep -v seconds eval.json | head -3) <(grep -v seconds report/metrics.json | head -3)
grep -q '"cases": 2' report/metrics.json
grep -q '"dice_clicks_10"' report/metrics.json
grep -q '"ci95"' report/metrics.json
grep -q 'data:image/png;base64' report/report.html
expect 1 "exists; use --force" voxloom segment eval --data cases --model geodesic -o report
rm cases/label/two.nii.gz
expect 1 "without partner: image/two.nii.gz" voxloom segment eval --data cases --model geodesic -o other
