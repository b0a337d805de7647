# Each gets one clear sentence naming the file or prompt, exit 1, and nothing is written.
dicom=$EXAMPLES/vs_mr_dicom
voxloom data convert "$dicom" mr.nii.gz --quiet
run=(voxloom segment mr.nii.gz --model geodesic -o out.nii.gz)
expect 1 "999" "${run[@]}" --point 999,10,5
expect 1 "positive|inside" "${run[@]}" --point 10,10,5,-
expect 1 "box" "${run[@]}" --box 10,10,5,900,20,5
expect 1 "--object|doubled|twice|value" "${run[@]}" --object a=1 --point 10,10,5 --object b=1 --point 20,20,5
head -c 100000 mr.nii.gz >cut.nii.gz
expect 1 "cut.nii.gz" voxloom segment cut.nii.gz --model geodesic -o out.nii.gz --point 10,10,5
head -c 200 /dev/urandom >noise.nii
expect 1 "noise.nii" voxloom segment noise.nii --model geodesic -o out.nii.gz --point 10,10,5
expect 1 "absent.nii.gz" voxloom segment absent.nii.gz --model geodesic -o out.nii.gz --point 1,1,1
expect 1 "out.xyz" voxloom segment mr.nii.gz --model geodesic -o out.xyz --point 10,10,5
expect 1 "folder does not exist" voxloom segment mr.nii.gz --model geodesic -o no/out.nii.gz --point 10,10,5
expect 2 "LO,HI" "${run[@]}" --point 10,10,5 --window soft
# A folder with two series wants to be told which one.
mkdir two; cp "$dicom"/0*.dcm two/
voxloom segment "$dicom" -o two/seg.dcm --quiet --model geodesic --point 103,62,28
voxloom data info two >/dev/null   # a segmentation beside one series does not count
# A slice is missing from the series.
cp -r "$dicom" gap; rm gap/12.dcm
expect 1 "gap|missing" voxloom segment gap --model geodesic -o out.nii.gz --point 10,10,5
[ ! -e out.nii.gz ] && [ ! -e out.json ]
# A full disk: the limit on file sizes fails in the same way.
( trap '' XFSZ; ulimit -f 4; expect 1 "cannot be written" voxloom segment mr.nii.gz --model geodesic -o full.nii.gz --point 103,62,28 )
[ ! -e full.nii.gz ] && [ -z "$(ls -A | grep tmp || true)" ]
