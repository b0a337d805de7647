# docs/reference is printed from the program: ./dev docs after changing a command.
mkdir pages
voxloom help --markdown pages
diff -ru "$SOURCE/docs/reference" pages
# Every command explains itself, and the completion script is valid bash.
voxloom --help | grep >/dev/null 'voxloom demo'
for command in segment "segment eval" "model convert" "data info" demo; do
  # shellcheck disable=SC2086
  voxloom $command --help | grep >/dev/null 'Usage: voxloom'
done
voxloom help --completion bash | bash -n
