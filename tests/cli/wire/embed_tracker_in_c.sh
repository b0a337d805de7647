# The example of docs/embedding.md, built as a stranger would (C alone, against an installation that
# was moved), follows a stream as 'voxloom wire track' does.
cmake --install "$BINARY" --prefix first >install.log
mv first installed
cmake -S "$EXAMPLES/embed" -B built -DCMAKE_PREFIX_PATH="$PWD/installed" -DCMAKE_C_COMPILER="$CC" \
  -DCMAKE_C_FLAGS=-Werror >build.log 2>&1 || { cat build.log; exit 1; }
cmake --build built >build.log 2>&1 || { cat build.log; exit 1; }
cmp installed/include/voxloom/voxloom_tracker.h "$SOURCE/src/voxloom/capi/voxloom_tracker.h"

voxloom wire prepare --data "$EXAMPLES/rossa" -o rossa.jsonl --quiet >/dev/null
voxloom wire train --data rossa.jsonl --batch 2 --crop 64 --augment nnunet --lr 0.005 --loss dice-bce \
  --metric dice --metric-mode max --seed 4 --threads 1 --quiet --licence MIT -o run --epochs 8 \
  --network-options '{"widths":"16,16,32","encoder_blocks":"0,1,1","decoder_blocks":"0,0","heads":1}' >/dev/null
for name in 105 131 160 188; do
  voxloom data convert "$EXAMPLES/rossa/val/image/$name.png" $name.nii --quiet >/dev/null
  tail -c $((320 * 320)) $name.nii >>frames.raw
  { printf 'P5 320 320 255\n'; tail -c $((320 * 320)) $name.nii; } >$name.pgm
done

# Everything but the times is the same.
untimed() { sed -E 's/"age_ms":[^,]*,//; s/"ms":\{[^}]*\}//; s/,?"capture_time_ns":[0-9]*//; s/,\}$/}/' "$1"; }
same() { untimed "$1" >one.txt; untimed "$2" >two.txt; cmp one.txt two.txt; }
voxloom wire track - --raw 320x320 --fps 10 --model run/model --high 0.55 --pixel-mm 0.2 --results track.jsonl \
  --quiet --threads 2 <frames.raw >/dev/null
options='{"high": 0.55, "pixel_mm": 0.2, "threads": 2}'
built/tracker --json --fps 10 --options "$options" --raw 320x320 run/model frames.raw >embed.jsonl 2>model.txt
grep -q '"name":"model"' model.txt
[ "$(wc -l <embed.jsonl)" = 4 ]
grep -q '"state":"tracking"' embed.jsonl
grep -q '"capture_time_ns":300000000' embed.jsonl
same track.jsonl embed.jsonl
built/tracker --json --fps 10 --options "$options" run/model 105.pgm 131.pgm 160.pgm 188.pgm >pgm.jsonl
same embed.jsonl pgm.jsonl
# The plain lines have the same tips.
built/tracker --fps 10 --options "$options" run/model 105.pgm 131.pgm 160.pgm 188.pgm >plain.txt
sed -nE 's/.*tip (-?[0-9.]+) (-?[0-9.]+) .*/\1 \2/p' plain.txt >tips.txt
sed -nE 's/.*"tip":\{"x":([^,]*),"y":([^,]*),.*/\1 \2/p' track.jsonl | awk '{printf "%.2f %.2f\n", $1, $2}' >expected.txt
[ -s tips.txt ]
cmp tips.txt expected.txt

# Mistakes are named and end with 1.
expect 1 "tracker: .*nothing" built/tracker nothing 105.pgm
expect 1 "tracker: .*hihg" built/tracker --options '{"hihg": 1}' run/model 105.pgm
expect 1 "must be a binary PGM" built/tracker run/model "$EXAMPLES/rossa/val/image/105.png"
expect 1 "frame 3 ends early" built/tracker --raw 320x320 run/model <(head -c 400000 frames.raw)
# Without the ML library beside it the program starts and says what is missing.
rm installed/lib/libvoxloom_ml.so*
expect 1 "networks need libvoxloom_ml.so" built/tracker run/model 105.pgm
