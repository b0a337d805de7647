# start_server.sh hands its words on to `voxloom serve`; a program that prints them stands in.
mkdir -p tree/build/release/bin tree/tools elsewhere
cp "$SOURCE/start_server.sh" tree/
cp "$SOURCE/tools/example_studies.sh" tree/tools/
ln -s "$EXAMPLES" tree/examples
cat >tree/build/release/bin/voxloom <<END
#!/usr/bin/env bash
if [ "\$1" = data ]; then exec "$VOXLOOM" "\$@"; fi
printf '[%s]' "\$@"
echo " \$VOXLOOM_STATE_DIR"
END
chmod +x tree/build/release/bin/voxloom
unset VOXLOOM_STUDIES VOXLOOM_STATE_DIR MONAI_LABEL_DATASTORE MONAI_LABEL_STUDIES
tree=$PWD/tree
cd elsewhere
said() { # WORDS COMMAND...: what the stand-in was given.
  local words=$1 got
  shift
  got=$("$@")
  [ "$got" = "$words" ] || { echo "expected $words, got $got"; exit 1; }
}

said "[serve][--studies][my folder][--port][1] " ../tree/start_server.sh "my folder" --port 1
said "[serve][--studies=a] " ../tree/start_server.sh --studies=a
said "[serve][--port][1][--studies][a] " ../tree/start_server.sh --port 1 --studies a
said "[serve][--config][c.yaml] " ../tree/start_server.sh --config c.yaml
said "[serve][--help] " ../tree/start_server.sh --help
[ ! -e ../tree/build/serve-studies ] # not asked for so far
for name in VOXLOOM_STUDIES MONAI_LABEL_DATASTORE MONAI_LABEL_STUDIES; do
  said "[serve][--port][1] " env "$name=/data" ../tree/start_server.sh --port 1
done
said "[serve][--studies][$tree/build/serve-studies][--port][1] $tree/build/serve-state" \
  ../tree/start_server.sh --port 1
[ -e ../tree/build/serve-studies/vs_mr_full.nii.gz ]
said "[serve][--studies][$tree/build/serve-studies] /mine" \
  env VOXLOOM_STATE_DIR=/mine ../tree/start_server.sh
