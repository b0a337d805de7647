# One key missing, an ambiguous name, a file of another kind: one clear sentence, nothing written.
keys=$SOURCE/tests/golden/medsam2/keys/medsam2.txt
"$CHECKPOINT" "$keys" MedSAM2_broken.pt --drop no_mem_embed
expect 1 "MedSAM2_broken.pt.*missing.*no_mem_embed" voxloom model convert MedSAM2_broken.pt -o p --no-gate
"$CHECKPOINT" "$keys" weights.safetensors
expect 1 "medsam2_t512.*sam2.1_t|sam2.1_t.*medsam2_t512" voxloom model convert weights.safetensors -o p --no-gate
expect 1 "known|must be one of|no variant" voxloom model convert weights.safetensors -o p --no-gate --variant huge
head -c 5000000 MedSAM2_broken.pt >MedSAM2_cut.pt
expect 1 "MedSAM2_cut.pt" voxloom model convert MedSAM2_cut.pt -o p --no-gate
echo "not a checkpoint" >notes.pt
expect 1 "notes.pt" voxloom model convert notes.pt -o p --no-gate
expect 1 "does not exist" voxloom model convert absent.pt -o p --no-gate
[ ! -e p ]
expect 1 "no model package|no package|absent" voxloom segment "$EXAMPLES/vs_mr_dicom" -o l.nii.gz --model absent --point 1,2,3
