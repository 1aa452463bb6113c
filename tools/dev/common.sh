# Shared by the sub-commands of ./dev: messages, pinned versions, stamps of what is already there.
# shellcheck shell=bash
# shellcheck disable=SC2034  # the sub-commands, which source this, use its variables

UV_VERSION=0.13.9
NODE_VERSION=20.20.2 # for machines whose own node is older than 20, which the clients in tests need
VENV=$ROOT/.venv

[ -x "$ROOT/.cache/node/node_modules/node/bin/node" ] && export PATH="$ROOT/.cache/node/node_modules/node/bin:$PATH"

say() { printf '\033[1;36m==>\033[0m %s\n' "$*" >&2; }
die() {
  printf '\033[1;31merror:\033[0m %s\n' "$*" >&2
  exit 1
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "installing packages needs root: run ./dev setup as root, or install sudo"
  fi
}

# stamped NAME FILE...: true if the stamp is newer in content than nothing changed in the files.
stamped() {
  local name=$1
  shift
  [ -f ".cache/stamps/$name" ] && [ "$(cat ".cache/stamps/$name")" = "$(cat "$@" | sha256sum)" ]
}
stamp() {
  local name=$1
  shift
  mkdir -p .cache/stamps
  cat "$@" | sha256sum >".cache/stamps/$name"
}

# preset_of "$@": sets PRESET and REST from the arguments.
parse_preset() {
  PRESET=release
  REST=()
  while [ $# -gt 0 ]; do
    case "$1" in
      --preset)
        PRESET=${2:?--preset needs a name}
        shift 2
        ;;
      --preset=*)
        PRESET=${1#*=}
        shift
        ;;
      *)
        REST+=("$1")
        shift
        ;;
    esac
  done
  case "$PRESET" in
    release) BUILD=build ;;
    debug | asan-ubsan | tsan) BUILD=build-$PRESET ;;
    *) die "there is no preset \"$PRESET\"; choose release, debug, asan-ubsan or tsan" ;;
  esac
}
