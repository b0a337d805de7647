# Outlines in COCO's JSON become mask files beside the manifest, all or nothing.
part=arcade/dataset_phase_1/segmentation_dataset/seg_train
mkdir -p "$part/images" "$part/annotations"
cp "$EXAMPLES/rossa/val/image/105.png" "$part/images/1.png"
json() {
  printf '{"images":[{"id":1,"file_name":"%s","width":320,"height":320}],"annotations":[{"id":4,"image_id":1,
    "category_id":5,"iscrowd":0,"segmentation":[[10,10,50,10,50,20,10,20]]}],"categories":[{"id":5,"name":"5"}]}' "$1"
}
json 1.png >"$part/annotations/seg_train.json"
voxloom wire prepare --help >help.txt
grep -q 'cathaction: segmentation/' help.txt
voxloom wire prepare --data arcade -o set.jsonl >counts.txt
grep -qE '^train +1 samples.* vessel 0.39 %' counts.txt
grep -q 'differs: .*seg_train: the published set has 1000 images, got 1' counts.txt
[ -s set_files/mask/seg_train/1.png ]
grep -q '"mask":"set_files/mask/seg_train/1.png"' set.jsonl

voxloom wire prepare --force --data arcade --background-ignored -o set.jsonl >counts.txt
grep -qE 'vessel 0.39 %  ignore 99.61 %' counts.txt
expect 1 'must be the whole published set' voxloom wire prepare --data arcade --whole-set -o whole.jsonl
json ../1.png >"$part/annotations/seg_train.json"
expect 1 'must lead to a file inside the data set' voxloom wire prepare --data arcade -o bad.jsonl
[ ! -e whole.jsonl ] && [ ! -e whole_files ] && [ ! -e bad.jsonl ] && [ ! -e bad_files ]
mkdir -p mine/image mine/label
cp "$EXAMPLES/rossa/val/image/105.png" mine/image/a_1.png
cp "$EXAMPLES/rossa/val/label/105.png" mine/label/a_1.png
expect 1 'must come with --classes' voxloom wire prepare --data mine --background-ignored -o mine.jsonl
