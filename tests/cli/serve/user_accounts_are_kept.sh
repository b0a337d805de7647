# Accounts: made with the password from standard input, listed, given a token, removed.
echo 'correct horse' | voxloom serve user add anna --users u.json | grep 'as user,annotator'
echo 'battery staple' | voxloom serve user add root --users u.json --roles admin
[ "$(stat -c %a u.json)" = 600 ]
if grep -E 'correct|staple' u.json; then exit 1; fi
grep -c 'argon2id' u.json | grep -x 2
voxloom serve user list --users u.json --json | tr -d ' \n' |
  grep -F '{"name":"anna","roles":["user","annotator"]},{"name":"root","roles":["admin"]}'

# A second time only with --force, which makes another hash.
add_again() { echo 'another password' | voxloom serve user add anna --users u.json "$@"; }
expect 1 "user 'anna' exists; use --force" add_again
cp u.json before.json
add_again --force --roles user
if cmp -s u.json before.json; then exit 1; fi
voxloom serve user list --users u.json | grep -E '^anna +user$'

short_password() { echo 'short' | voxloom serve user add otto --users u.json; }
no_password() { voxloom serve user add otto --users u.json </dev/null; }
expect 1 "must be 8 to 1024 bytes long, got 5" short_password
expect 1 "none was given" no_password
expect 2 "user name: must be" voxloom serve user add a/b --users u.json
expect 2 "roles: must be of" voxloom serve user add otto --users u.json --roles boss

voxloom serve user token anna --users u.json --expires-h 1 | grep -xE 'v1\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+'
[ "$(stat -c %a u.json.key)" = 600 ]
expect 1 "user 'otto' is not in the file" voxloom serve user token otto --users u.json
voxloom serve user remove anna --users u.json
expect 1 "user 'anna' is not in the file" voxloom serve user remove anna --users u.json
expect 1 "does not exist" voxloom serve user list --users none.json
echo '{' >bad.json
expect 1 "users file 'bad.json': must be valid JSON" voxloom serve user list --users bad.json
