# R9: `wire prepare` remembers what is sealed, and knows it again as a part, through a link, as a copy.
mkdir -p set/train set/test/image set/test/label
cp -r "$EXAMPLES/rossa/train_manual/image" "$EXAMPLES/rossa/train_manual/label" set/train
for kind in image label; do
  for name in 59 72 91; do mv "set/train/$kind/$name.png" "set/test/$kind"; done
done
voxloom wire prepare --data set -o set.jsonl --json --quiet >prepared.json
grep -q '"sealed_by"' prepared.json
grep -q '"test/image"' set/.sealed
[ "$(ls share/voxloom/sealed/*.json | wc -l)" = 1 ]
voxloom data check set.jsonl --quiet | grep -q 'nothing wrong was found'
# Made again, it is still the same set.
voxloom wire prepare --data set -o set.jsonl --force --quiet >/dev/null
expect 1 "R9: files must not be sealed ones, got 3 samples.*sealed by '.*set/.sealed'" voxloom wire prepare --data set/test -o part.jsonl
ln -s set/test fresh
expect 1 'R9: files must not be sealed ones, got 3 samples' voxloom wire prepare --data fresh -o part.jsonl
cp -r set/test copy
expect 1 "R9: images must not be copies of sealed ones, got 3.*sealed by '.*share/voxloom/sealed/" voxloom wire prepare --data copy -o part.jsonl
# A link to one picture among harmless ones.
mkdir -p mine/image mine/label
cp set/train/image/3.png mine/image
cp set/train/label/3.png mine/label
ln -s ../../set/test/image/59.png mine/image/4.png
cp set/train/label/3.png mine/label/4.png
expect 1 'R9: files must not be sealed ones, got 1 samples with such \(sample mine:4\)' voxloom wire prepare --data mine -o part.jsonl
[ ! -e part.jsonl ]
# Moved to another account the marker is enough; without the marker the register is.
expect 1 'R9: files must not be sealed ones, got 3 samples' env XDG_DATA_HOME="$TMP/other" "$VOXLOOM" wire prepare --data set/test -o part.jsonl
rm set/.sealed
expect 1 "R9: files must not be sealed ones, got 3 samples.*share/voxloom/sealed/" voxloom wire prepare --data set/test -o part.jsonl
# An empty marker seals its folder.
rm share/voxloom/sealed/*.json
touch set/.sealed
expect 1 "R9: files must not be sealed ones, got 5 samples" voxloom wire prepare --data set -o other.jsonl --layout folder
