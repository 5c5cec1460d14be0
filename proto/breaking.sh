#!/usr/bin/env bash
# Refuses changes of the contract that programs built from main would not understand.
#
#   breaking.sh BUF    what is here is held against the last commit that main has, too; on main, the one before
set -euo pipefail
cd "$(dirname "$0")/.."
buf=$1

fail() {
  echo "proto/breaking.sh: $1" >&2
  exit 1
}

find_base() {
  local main base
  main=$(git rev-parse --verify --quiet origin/main || git rev-parse --verify --quiet main) \
    || fail "expected a branch main to compare with, found none; run \`git fetch origin main:main\`"
  base=$(git merge-base HEAD "$main") \
    || fail "expected history in common with main, found none; run \`git fetch --unshallow\`"
  if [ "$base" = "$(git rev-parse HEAD)" ]; then
    base=$(git rev-parse --verify --quiet HEAD^) \
      || fail "expected the commit before this one, found none; run \`git fetch --unshallow\`"
  fi
  echo "$base"
}

base=$(find_base)
before=$(mktemp -d)
trap 'rm -rf "$before"' EXIT
git archive "$base" proto | tar -x -C "$before"
"$buf" breaking proto --against "$before/proto"
