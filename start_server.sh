#!/usr/bin/env bash
# Starts the annotation server; builds the program first where it is absent.
#
#   ./start_server.sh                              on a copy of the bundled examples
#   ./start_server.sh /data/studies                on a folder of yours
#   ./start_server.sh /data/studies --port 8001    further words are options of `voxloom serve`
#
# Without a folder, VOXLOOM_STUDIES, MONAI_LABEL_DATASTORE and MONAI_LABEL_STUDIES are read, in this
# order. `voxloom serve --help` lists the options; docs/server.md explains them.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
program=$root/build/release/bin/voxloom

[ -x "$program" ] || "$root/dev" build voxloom_app voxloom_ml >&2

if [ $# -gt 0 ] && [[ $1 != -* ]]; then
  studies=$1
  shift
  set -- --studies "$studies" "$@"
elif [ -z "${VOXLOOM_STUDIES:-}${MONAI_LABEL_DATASTORE:-}${MONAI_LABEL_STUDIES:-}" ]; then
  given=
  for word in "$@"; do
    case $word in
      --studies | --studies=* | --config | --config=* | --help | -h) given=1 ;;
    esac
  done
  if [ -z "$given" ]; then
    "$root/tools/example_studies.sh" "$program" "$root/examples" "$root/build/serve-studies"
    # Certificate, accounts' key and jobs of a trial stay out of the home folder.
    export VOXLOOM_STATE_DIR=${VOXLOOM_STATE_DIR:-$root/build/serve-state}
    set -- --studies "$root/build/serve-studies" "$@"
  fi
fi

# Packages under models/ are found from whatever folder this was started in.
export VOXLOOM_MODELS=${VOXLOOM_MODELS:+$VOXLOOM_MODELS:}$root/models
exec "$program" serve "$@"
