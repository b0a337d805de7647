# A small checkpoint in SAM-Med2D's official layout becomes a package, ONNX files, a label of single
# slices and one of a picture. The weights are stand-ins, so only the plumbing is judged.
keys=$SOURCE/tests/golden/sam_med2d/keys_small.txt
"$CHECKPOINT" "$keys" small.pth
voxloom model convert small.pth -o packages/med2d --json >convert.json
grep -q '"variant": "custom"' convert.json
grep -q '"chosen_by": "keys"' convert.json
grep -q "\"tensors\": $(wc -l <"$keys")" convert.json
grep -q 'architecture: sam-med2d' packages/med2d/model.yaml
export VOXLOOM_MODELS=$PWD/packages
voxloom model verify med2d | grep >/dev/null intact
voxloom model export med2d --onnx -o onnx --json >export.json
for name in input_image image_embeddings point_coords point_labels mask_input has_mask_input \
  orig_im_size masks iou_predictions low_res_masks; do
  grep -q "\"name\": \"$name\"" onnx/onnx.json
done
[ -s onnx/encoder.onnx ] && [ -s onnx/decoder.onnx ]
expect 1 "use --force" voxloom model export med2d --onnx -o onnx

voxloom segment "$EXAMPLES/vs_mr_dicom" -o label.nii.gz --model med2d --point 90,80,14 \
  --point 92,82,18 --point 20,20,18,- --box 68,38,16,122,122,16 --quiet
grep -q '"model": "med2d"' label.json
grep -q '"slices_encoded": 3' label.json
# Not chosen unless it is named: it does not follow objects through a volume.
voxloom segment "$EXAMPLES/vs_mr_dicom" -o auto.nii.gz --point 90,80,14 --quiet
grep -q '"model": "geodesic"' auto.json

picture=$EXAMPLES/rossa/val/image/105.png
voxloom wire label "$picture" --model med2d --click 60,60 --click 70,64 --click 90,20,- -o out --quiet
for file in mask.png overlay.png label.json; do [ -s out/$file ]; done
grep -q '"counts"' out/label.json
expect 2 "no prompt: give --click" voxloom wire label "$picture" --model med2d -o none
expect 2 "must be x,y in whole pixels" voxloom wire label "$picture" --model med2d --click 1 -o none
expect 1 "must lie inside the picture" voxloom wire label "$picture" --model med2d --click 9999,1 -o none

"$CHECKPOINT" "$keys" torn.pth --drop image_encoder.blocks.1.Adapter.norm.bias
expect 1 "1 missing key: 'image_encoder.blocks.1.Adapter.norm.bias'" \
  voxloom model convert torn.pth -o packages/torn
grep -v Adapter "$keys" >plain.txt
"$CHECKPOINT" plain.txt sam_vit.pth
expect 1 "must be a SAM-Med2D checkpoint with adapters" \
  voxloom model convert sam_vit.pth -o packages/plain
expect 1 "must be auto or sam-med2d_b" \
  voxloom model convert small.pth -o packages/other --variant sam2.1_t
expect 1 "does not fit variant sam-med2d_b" \
  voxloom model convert small.pth -o packages/other --variant sam-med2d_b
[ ! -e packages/torn ] && [ ! -e packages/plain ] && [ ! -e packages/other ]
