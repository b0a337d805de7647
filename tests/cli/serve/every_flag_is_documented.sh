# docs/server.md and its translation name every flag of `voxloom serve`, and have equal tables.
if ! "$VOXLOOM" serve --help >help 2>/dev/null; then
  echo "skipped: a build without the server"
  exit 0
fi
for page in "$SOURCE/docs/server.md" "$SOURCE/docs/server.zh.md"; do
  for flag in $(grep -oE '^ +--[a-z][a-z0-9-]*' help | sort -u); do
    grep -qF -- "$flag" "$page" || { echo "$page does not name $flag"; exit 1; }
  done
done
[ "$(grep -c '^|' "$SOURCE/docs/server.md")" = "$(grep -c '^|' "$SOURCE/docs/server.zh.md")" ]
