# Runs one case in an empty folder, without the caller's settings, and removes the folder.
set -euo pipefail
case=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export EXAMPLES=$SOURCE/examples TMP=$work HOME=$work XDG_DATA_HOME=$work/share XDG_CACHE_HOME=$work/cache
unset VOXLOOM_MODELS
voxloom() { "$VOXLOOM" "$@"; }
# expect STATUS PATTERN COMMAND...: the command ends with STATUS and says PATTERN on standard error.
expect() {
  local status=$1 pattern=$2 got=0
  shift 2
  "$@" >out.txt 2>err.txt || got=$?
  if [ "$got" != "$status" ]; then
    echo "'$*' ended with $got, expected $status"; cat out.txt err.txt; exit 1
  fi
  if ! grep -qE -- "$pattern" err.txt; then
    echo "'$*' must say '$pattern', got:"; cat err.txt; exit 1
  fi
}
cd "$work"
set -x
# shellcheck source=/dev/null
source "$case"
