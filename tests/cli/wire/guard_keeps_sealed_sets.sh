# Sealed images (R8, R9): no command but `wire eval --unseal` opens them, by whatever manifest, link
# or copy they are reached; each opening is noted before and after.
mkdir -p set/train set/val set/test
for part in train:train_manual val:val; do
  cp -r "$EXAMPLES/rossa/${part#*:}/image" "$EXAMPLES/rossa/${part#*:}/label" "set/${part%:*}"
done
mkdir -p set/test/image set/test/label
for kind in image label; do
  for name in 59 72 91; do mv "set/train/$kind/$name.png" "set/test/$kind"; done
done
sealed=3
voxloom wire prepare --data set --layout folder --classes 0=background,255=vessel --bright-object -o set.jsonl --quiet >/dev/null
ln -s set/test fresh
cp -r set/test copy
# rewrite FROM TO SED: a manifest with changed lines under a right first line.
rewrite() {
  tail -n +2 "$1" | sed -E "$3" >lines
  {
    printf '{"voxloom_manifest":1,"samples":%d,"fingerprint":"%s"}\n' "$(wc -l <lines)" "$(sha256sum lines | cut -d' ' -f1)"
    cat lines
  } >"$2"
}
train=(voxloom wire train --network-options '{"widths":"16,16,32","encoder_blocks":"0,1,1","decoder_blocks":"0,0","heads":1}'
  --batch 2 --crop 64 --epochs 1 --threads 1 --quiet)

# R8: no sealed sample in training or statistics.
expect 1 "R8: sample 'test/[0-9]+' is sealed; training and statistics read other roles" "${train[@]}" --data set.jsonl -o run
expect 1 "R8: sample 'test/[0-9]+' is sealed" voxloom wire filters --data set.jsonl -o filtered --chain clahe
rewrite set.jsonl extra.jsonl 's/"role":"[a-z]*"/"role":"val_extra"/; /test\/image/d'
expect 1 "R8: data 'extra.jsonl' must hold samples of the role train, finetune or val, got none" voxloom wire filters --data extra.jsonl -o filtered --chain clahe
# R9: another manifest says that they train.
rewrite set.jsonl harmless.jsonl 's/"role":"sealed"/"role":"train"/'
expect 1 "R9: files must not be sealed ones, got $sealed samples.*sealed by '.*set/.sealed'" "${train[@]}" --data harmless.jsonl -o run
expect 1 "R9: files must not be sealed ones" voxloom wire filters --data harmless.jsonl -o filtered --chain clahe
# Another user's machine has the marker alone; one who lost the marker has the register alone.
expect 1 "R9: .*set/.sealed'" env XDG_DATA_HOME="$TMP/other" "${train[@]/voxloom/$VOXLOOM}" --data harmless.jsonl -o run
mv set/.sealed aside
expect 1 "R9: .*share/voxloom/sealed/[0-9a-f]+.json'" "${train[@]}" --data harmless.jsonl -o run
mv aside set/.sealed
[ ! -e run ]

# A model, trained on the open part, and the other commands.
rewrite set.jsonl open.jsonl '/"role":"sealed"/d'
"${train[@]}" --data open.jsonl -o run --licence MIT >/dev/null
expect 1 'is sealed; only' voxloom wire predict set.jsonl --model run/model -o out
expect 1 'is sealed; only' voxloom wire predict harmless.jsonl --model run/model -o out
expect 1 'is sealed; only' voxloom wire predict fresh/image --model run/model -o out
expect 1 'is sealed; only' voxloom wire predict copy/image --model run/model -o out
expect 1 'is sealed; only' voxloom wire track fresh/image --model run/model --results t.jsonl
eval=(voxloom wire eval --model run/model --engine torch --resamples 100 --worst 1 --quiet)
expect 1 "R9: data 'set.jsonl' holds sealed samples; --unseal opens them" "${eval[@]}" --data set.jsonl --role sealed -o report
expect 1 "R9: data 'harmless.jsonl' holds sealed" "${eval[@]}" --data harmless.jsonl --role train -o report
expect 1 "R9: data 'copy' holds sealed" "${eval[@]}" --data copy -o report
# R8: a sealed set chooses no threshold.
expect 1 "R8: no threshold may be chosen on sealed samples" "${eval[@]/run\/model/frangi}" --data set.jsonl --role sealed --unseal -o report
[ ! -e unsealed.jsonl ] && [ ! -e copy/unsealed.jsonl ]
# Open samples need nothing; sealed ones are noted, before and after, and again the next time.
"${eval[@]}" --data set.jsonl -o report >/dev/null
[ ! -e unsealed.jsonl ]
"${eval[@]}" --data set.jsonl --role sealed --unseal -o sealed >/dev/null
cat unsealed.jsonl
[ "$(wc -l <unsealed.jsonl)" = 2 ]
head -1 unsealed.jsonl | grep -q '"event":"opened"'
tail -1 unsealed.jsonl | grep -q '"event":"measured".*"scores":{.*"dice"'
grep -c "\"model_sha256\":\"$(sha256sum run/model/weights.safetensors | cut -d' ' -f1)\"" unsealed.jsonl | grep -qx 2
grep -c "\"fingerprint\":\"$(tail -n +2 set.jsonl | sha256sum | cut -d' ' -f1)\"" unsealed.jsonl | grep -qx 2
cp unsealed.jsonl before
"${eval[@]}" --data set.jsonl --role sealed --unseal -o sealed2 >/dev/null
cmp before <(head -2 unsealed.jsonl)
[ "$(wc -l <unsealed.jsonl)" = 4 ]
# Where nothing can be noted, nothing is opened.
rm unsealed.jsonl
mkdir unsealed.jsonl
expect 1 "log of unsealing 'unsealed.jsonl': must be writable" "${eval[@]}" --data set.jsonl --role sealed --unseal -o sealed3
[ ! -e sealed3/report.html ]
