#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What Postfix's postmap and postalias were recorded to answer, for the table types that are here.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
types=$("$DICTUM" types --json | sed -n 's/^{"type":"\([^"]*\)","status":"ok".*/\1/p' | paste -sd, -)
# Cases of a type that is not here are skipped: what a full build brings must be here.
if [ -n "${TESTS_COMPLETE-}" ]; then
  sed 's/#.*//; s/[[:space:]].*//; /^$/d' "$here"/../../plugins/*/*.cf | while read -r type; do
    case ",$types," in
    *",$type,"*) ;;
    *) echo "not ok 1 - there is no type $type" && echo 1..1 && exit 1 ;;
    esac
  done
fi
# Cases of pgsql want a server.
export PYTHONDONTWRITEBYTECODE=1
servers=$here/../servers
case ",$types," in
*,pgsql,*)
  work=$(mktemp -d "${TMPDIR:-/tmp}/dictum-vectors.XXXXXX")
  chmod 755 "$work"
  trap 'python3 "$servers/postgres.py" stop "$work/pgsql"; rm -rf "$work"' EXIT
  trap 'exit 99' HUP INT TERM
  if variables=$(python3 "$servers/postgres.py" start "$work/pgsql"); then
    eval "$variables"
    export VECTORS_PG="$PGHOST $PGPORT $PGUSER $PGDATABASE"
  elif [ -n "${TESTS_COMPLETE-}" ]; then
    echo "not ok 1 - a PostgreSQL server starts" && echo 1..1 && exit 1
  fi
  ;;
esac
python3 "$here/run-vectors" --tap --types "$types" \
  --deviations "$here/deviations"
