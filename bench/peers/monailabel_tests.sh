#!/usr/bin/env bash
# MONAI Label's own tests against `voxloom serve`: its integration tests of the radiology app and its
# endpoint tests, unchanged but for their base class (monailabel_context/), on a fresh server that
# serves the names they expect.
#
# usage: bench/peers/monailabel_tests.sh MONAILABEL PYTHON VOLUME [VOLUME ...]
#   MONAILABEL  a checkout of MONAI Label (only its tests/ folder is read)
#   PYTHON      a Python with requests, numpy and SimpleITK
#   VOLUME      volumes; parts of them become the images that the tests name
# PROGRAM=build/release/bin/voxloom in the environment names another program, PACKAGE=DIR a MedSAM2
# package that is served as deepedit, sam_2d and sam_3d: the tests of weights files need one.
set -euo pipefail
[ $# -ge 3 ] || { sed -n '6,11s/^# //p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
repository=$(readlink -f "$1") python=$2
shift 2
program=$(readlink -f "${PROGRAM:-$here/../../build/release/bin/voxloom}")
work=$(mktemp -d "${TMPDIR:-/tmp}/monailabel-tests-XXXXXX")
server=
finish() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null && wait "$server" || true; fi
  rm -rf "$work"
}
trap finish EXIT

# Their tests in a folder of their own: the base class is replaced, the studies are put where one
# of the tests reads them.
cp -r "$repository/tests" "$work/tests"
cp "$here/monailabel_context/context.py" "$work/tests/unit/endpoints/context.py"
studies=$work/tests/data/dataset/local/spleen
"$python" "$here/monailabel_context/make_studies.py" "$studies" "$@"

network=${PACKAGE:-geodesic}
"$program" serve --studies "$studies" --port 0 --state-dir "$work/state" --rate 0 \
  --model "deepedit=$network" --model "sam_2d=$network" --model "sam_3d=$network" \
  --model deepedit_seg=geodesic --model segmentation=geodesic \
  --model segmentation_spleen=geodesic --model deepgrow_2d=geodesic --model deepgrow_3d=geodesic \
  --model deepgrow_pipeline=geodesic --model spleen_ct_segmentation=geodesic \
  --model lung_nodule_ct_detection=geodesic \
  --strategy "segmentation_spleen_epistemic=$python $here/monailabel_context/first_image.py" \
  >"$work/out" 2>"$work/log" &
server=$!
for _ in $(seq 200); do
  url=$(sed -n 's/^serving //p' "$work/out")
  [ -z "$url" ] || break
  kill -0 "$server" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
  sleep 0.05
done
sessions=$(echo "$work"/state/studies-*/sessions)

modules=()
for name in info infer session batch_infer trainer; do
  modules+=("tests.integration.radiology.test_$name")
done
# Without test_proxy and test_dicomwebcache: they replace functions inside the Python server.
for name in info logs infer infer_v2 infer_wsi model activelearning batch_infer datastore session \
  ohif scoring scoring_v2 train; do
  modules+=("tests.unit.endpoints.test_$name")
done
cd "$work"
status=0
PYTHONPATH="$here/monailabel_context/stubs:$work" PYTHONDONTWRITEBYTECODE=1 \
  MONAILABEL_SERVER_PORT="${url##*:}" SERVED_URL=$url SERVED_STUDIES=$studies \
  SERVED_SESSIONS=$sessions "$python" "$here/monailabel_context/run_suites.py" "${modules[@]}" ||
  status=$?
kill -0 "$server" || { echo "the server has ended" >&2; tail "$work/log" >&2; status=1; }
exit $status
