"""What `direct` runs on a host. One script is one connection, since each costs a third of a second.

Variables hold all that varies, so no text of ours is ever read as shell: FOLDER, NAME and COMMIT of the release, OWNER
and LEASE of the lock, LIMIT for the seconds of a command, and the owner's own commands.
"""

BUSY, GONE, ODD, FAILED = 75, 72, 74, 70
"""Exit codes: another holds the host; the release is not there; a path leads out of it; an owner's command failed."""

START = r"""
set -u
umask 022
mine() {  # whether nobody else has the host
  now=$(date +%s)
  if [ -s deploy.lease ]; then
    read -r who until < deploy.lease
    if [ "$who" != "$OWNER" ] && [ "${until:-0}" -gt "$now" ]; then
      echo "$who $(date -u -d "@$until" '+%Y-%m-%d %H:%M UTC')"
      exit 75
    fi
  fi
}
lease() {  # one deployment at a time, whoever begins it; a script that a killed daemon left is waited for
  mkdir -p "$FOLDER/releases" "$FOLDER/shared" "$FOLDER/slots" && cd "$FOLDER" || exit 1
  mine
  exec 9>>deploy.lock && flock -w "${LIMIT%.*}" 9 || { echo "a script of $OWNER that does not end"; exit 75; }
  mine
  echo "$OWNER $((now + LEASE))" > deploy.lease.new && mv deploy.lease.new deploy.lease || exit 1
}
hook() {  # NAME COMMAND: run it in the release; what it prints is shown, and what it leaves running holds no pipe
  [ -n "$2" ] || return 0
  said=$(mktemp) || exit 1
  ( cd "$RELEASE" && exec timeout -k 10 "$LIMIT" sh -c "$2" ) >"$said" 2>&1 </dev/null 9>&-
  ended=$?
  tail -c 2500 "$said" >&2
  rm -f "$said"
  [ "$ended" = 0 ] || { echo "$1 $ended"; exit 70; }
}
link_to() {  # NAME: one atomic step
  ln -sfn "releases/$1" current.new && mv -T current.new current || exit 1
}
active_port() {  # that of ours which nginx sends requests to; nothing before the first deployment
  port=$(sed -n 's/.*server 127\.0\.0\.1:\([0-9]*\).*/\1/p' "$UPSTREAM_FILE" 2>/dev/null | head -n 1)
  if [ -n "$port" ] && [ -L "slots/$port" ]; then echo "$port"; fi
}
send_to() {  # PORT
  printf 'upstream %s { server 127.0.0.1:%s; }\n' "$UPSTREAM" "$1" > "$UPSTREAM_FILE.new" &&
    mv "$UPSTREAM_FILE.new" "$UPSTREAM_FILE" || exit 1
  hook reload "$RELOAD"
}
"""

PREPARE = r"""
lease
RELEASE="$FOLDER/releases/$NAME"; export RELEASE
if [ -f "$RELEASE/REVISION" ] && [ "$(cat "$RELEASE/REVISION")" = "$COMMIT" ]; then exit 0; fi
whole=
trap '[ "$whole" ] || rm -rf "$RELEASE"' EXIT
rm -rf "$RELEASE" && mkdir "$RELEASE" || exit 1
tar -x --no-same-owner -C "$RELEASE" || exit 1
printf '%s\n' "$SHARED" | while IFS= read -r path; do
  [ -n "$path" ] || continue
  place="$RELEASE/$path"; parent="${place%/*}"
  case "$(realpath -m -- "$parent")/" in
    "$(realpath -- "$RELEASE")"/*) ;;
    *) echo "$path"; exit 74 ;;
  esac
  mkdir -p "$parent" && { [ -e "shared/$path" ] || mkdir -p "shared/$path"; } || exit 1
  rm -rf "$place" && ln -s "$FOLDER/shared/$path" "$place" || exit 1
done
ended=$?
[ "$ended" = 0 ] || exit "$ended"
hook build "$BUILD"
rm -rf "$RELEASE/REVISION" && echo "$COMMIT" > "$RELEASE/REVISION.new" &&
  mv -T "$RELEASE/REVISION.new" "$RELEASE/REVISION" || exit 1
whole=1
"""

SWITCH = r"""
lease
RELEASE="$FOLDER/releases/$NAME"; export RELEASE
[ -f "$RELEASE/REVISION" ] || exit 72
hook before_switch "$BEFORE_SWITCH"
link_to "$NAME"
hook restart "$RESTART"
"""

RETURN = r"""
lease
if [ -n "$PREVIOUS" ]; then
  RELEASE="$FOLDER/releases/$PREVIOUS"; export RELEASE
  [ -f "$RELEASE/REVISION" ] || exit 72
  link_to "$PREVIOUS"
  hook restart "$RESTART"
else
  RELEASE="$FOLDER/releases/$NAME"; export RELEASE
  [ "$(readlink current)" = "releases/$NAME" ] && rm -f current
  [ -d "$RELEASE" ] && hook stop "$STOP"
fi
"""

START_CANDIDATE = r"""
lease
RELEASE="$FOLDER/releases/$NAME"; export RELEASE
[ -f "$RELEASE/REVISION" ] || exit 72
active=$(active_port)
if [ -n "$active" ] && [ "$(readlink "slots/$active")" = "../releases/$NAME" ]; then
  hook reload "$RELOAD"
  link_to "$NAME"
  echo "switched $active"
  exit 0
fi
if [ "$active" = "$PORT_A" ]; then PORT=$PORT_B; else PORT=$PORT_A; fi
export PORT
hook before_switch "$BEFORE_SWITCH"
ln -sfn "../releases/$NAME" "slots/$PORT.new" && mv -T "slots/$PORT.new" "slots/$PORT" || exit 1
hook start "$START"
echo "candidate $PORT"
"""

SEND = r"""
lease
RELEASE="$FOLDER/releases/$NAME"; export RELEASE
send_to "$PORT"
link_to "$NAME"
"""

BACK = r"""
lease
active=$(active_port)
if [ -n "$active" ] && [ "$(readlink "slots/$active")" = "../releases/$NAME" ]; then
  if [ "$active" = "$PORT_A" ]; then PORT=$PORT_B; else PORT=$PORT_A; fi
  echo "switched $PORT"
else
  echo "not-switched"
fi
"""

RESTART_PREVIOUS = r"""
lease
RELEASE="$FOLDER/releases/$PREVIOUS"; export RELEASE PORT
[ -f "$RELEASE/REVISION" ] || exit 72
ln -sfn "../releases/$PREVIOUS" "slots/$PORT.new" && mv -T "slots/$PORT.new" "slots/$PORT" || exit 1
hook start "$START"
"""

STOP_COPIES = r"""
lease
for slot in slots/[0-9]*; do
  [ -L "$slot" ] && [ "$(readlink "$slot")" = "../releases/$NAME" ] || continue
  PORT="${slot#slots/}"; RELEASE="$FOLDER/releases/$NAME"; export PORT RELEASE
  [ "$PORT" = "$(active_port)" ] && [ -n "$PREVIOUS" ] && continue
  [ -d "$RELEASE" ] && hook stop "$STOP"
  rm -f "$slot"
done
[ -n "$PREVIOUS" ] || { [ "$(readlink current)" = "releases/$NAME" ] && rm -f current; }
true
"""

PUT_ASIDE = r"""
cd "$FOLDER" || exit 1
if [ -d "releases/$NAME" ] && [ "$NAME" != "$PREVIOUS" ]; then
  rm -rf "releases/$NAME.failed" && mv -T "releases/$NAME" "releases/$NAME.failed" || exit 1
fi
[ -s deploy.lease ] && read -r who until < deploy.lease && [ "$who" = "$OWNER" ] && rm -f deploy.lease
true
"""

SETTLE = r"""
lease
RELEASE="$FOLDER/releases/$NAME"; export RELEASE
for slot in slots/[0-9]*; do
  [ -L "$slot" ] && [ "${slot#slots/}" != "$(active_port)" ] || continue
  PORT="${slot#slots/}"; RELEASE="$FOLDER/$(readlink "$slot" | sed 's,^\.\./,,')"; export PORT RELEASE
  [ -d "$RELEASE" ] || RELEASE="$FOLDER/releases/$NAME"
  sleep "$DRAIN"
  hook stop "$STOP"
  rm -f "$slot"
done
ls -1 releases | grep -E '^[0-9]+-[0-9a-f]+(\.failed)?$' | grep -vxF -e "$NAME" -e "${PREVIOUS:-$NAME}" |
  sort -r | tail -n "+$((KEEP - 1))" | while IFS= read -r old; do rm -rf "releases/$old"; done
[ -s deploy.lease ] && read -r who until < deploy.lease && [ "$who" = "$OWNER" ] && rm -f deploy.lease
hook after_switch "$AFTER_SWITCH"
"""

LET_GO = r"""
cd "$FOLDER" 2>/dev/null || exit 0
[ -s deploy.lease ] && read -r who until < deploy.lease && [ "$who" = "$OWNER" ] && rm -f deploy.lease
true
"""

STATUS = r"""
cd "$FOLDER" 2>/dev/null || exit 0
place=current
[ -n "${UPSTREAM_FILE:-}" ] && port=$(active_port) && [ -n "$port" ] && place="slots/$port"
[ -L "$place" ] || exit 0
cat "$place/REVISION" 2>/dev/null
readlink "$place"
"""
