# Pictures, labels, truth, manifest and statistics; the same bytes again; outputs are kept.
run=(voxloom wire simulate --sequences 2 --frames 3 --size 96 --dose-ngy 20 --seed 5 --without-wire 0)
"${run[@]}" -o sim --instances >made.txt 2>progress.txt
grep -q '6 frames in 2 sequences' made.txt
grep -q 'simulate frames' progress.txt
for part in image label instance; do
  [ "$(find sim/$part -name '*.png' | wc -l)" = 6 ]
done
head -1 sim/manifest.jsonl | grep -q '"voxloom_manifest":1,"samples":6'
[ "$(wc -l <sim/manifest.jsonl)" = 7 ]
# The sums in the manifest are those of the files, and its own is that of its lines.
sed -n 2p sim/manifest.jsonl | grep -o '"sha256_image":"[0-9a-f]*"' | grep -q "$(sha256sum sim/image/train_00000/00000.png | cut -d' ' -f1)"
sed -n 2p sim/manifest.jsonl | grep -o '"sha256_mask":"[0-9a-f]*"' | grep -q "$(sha256sum sim/label/train_00000/00000.png | cut -d' ' -f1)"
head -1 sim/manifest.jsonl | grep -q "$(tail -n +2 sim/manifest.jsonl | sha256sum | cut -d' ' -f1)"
for key in centre_line tip matched_snr visible dose_ngy; do
  grep -q "\"$key\"" sim/label/train_00000/sequence.json
done
grep -q '"frames": 6' sim/cnr_histogram.json
for picture in cnr_histogram contact_sheet; do head -c 8 sim/$picture.png | grep -q PNG; done
# Same seed, another number of threads: the same set. Another split: other pictures.
"${run[@]}" -o again --instances --quiet --threads 1
diff -r sim again
"${run[@]}" -o val --split val --quiet
! cmp -s sim/image/train_00000/00000.png val/image/val_00000/00000.png
expect 1 "exists; use --force" "${run[@]}" -o sim
"${run[@]}" -o sim --instances --force --quiet
diff -r sim again
# Wrong use; a folder that can't be made; a full disk.
expect 2 "size" voxloom wire simulate -o x --size 5
expect 2 "dose-ngy" voxloom wire simulate -o x --dose-ngy 45,6
expect 2 "dose-ngy" voxloom wire simulate -o x --dose-ngy 20,
touch file
expect 1 "folder cannot be made" "${run[@]}" -o file/x
( trap '' XFSZ; ulimit -f 4; expect 1 "full/.*cannot be written" "${run[@]}" -o full )
[ ! -e full/manifest.jsonl ] && [ -z "$(find full -name '*tmp*')" ]
