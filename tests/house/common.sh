# A copy of the light part of a build in an empty folder: bin/ and lib/ without the ML library.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HOME=$work XDG_DATA_HOME=$work/data XDG_CACHE_HOME=$work/cache
unset VOXLOOM_MODELS LD_LIBRARY_PATH
mkdir "$work/bin" "$work/lib" "$work/run"
cp "$BINARY/lib/libvoxloom.so.0" "$work/lib/"

# ends STATUS PATTERN COMMAND...: it ends with STATUS and prints a line like PATTERN.
ends() {
  local status=$1 pattern=$2 got=0
  shift 2
  "$@" >"$work/said" 2>&1 || got=$?
  if [ "$got" != "$status" ] || ! grep -qE -- "$pattern" "$work/said"; then
    echo "'$*' must end with $status and say '$pattern'; it ended with $got and said:"
    cat "$work/said"
    exit 1
  fi
}
