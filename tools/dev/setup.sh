# shellcheck shell=bash
cmd_setup() {
  setup_apt
  setup_python
  setup_node
}

setup_apt() {
  local missing=() package
  while read -r package; do
    case "$package" in
      # A machine may bring its own node or compiler drivers.
      nodejs | npm) command -v node >/dev/null && command -v npm >/dev/null && continue ;;
    esac
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
  done <tools/dev/apt.txt
  [ ${#missing[@]} -eq 0 ] && return 0
  say "installing ${#missing[@]} system packages: ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# One environment for tests, examples and tools, made by uv: a few seconds.
setup_python() {
  stamped python tools/dev/requirements.txt tools/dev/common.sh && [ -x "$VENV/bin/python" ] && return 0
  say "making the Python environment in .venv"
  if [ "$(.cache/uv/bin/uv --version 2>/dev/null | cut -d' ' -f2)" != "$UV_VERSION" ]; then
    rm -rf .cache/uv
    /usr/bin/python3 -m venv .cache/uv
    .cache/uv/bin/pip install --quiet --disable-pip-version-check "uv==$UV_VERSION"
  fi
  .cache/uv/bin/uv venv --quiet --clear --python /usr/bin/python3 "$VENV"
  .cache/uv/bin/uv pip install --quiet --python "$VENV/bin/python" -r tools/dev/requirements.txt
  stamp python tools/dev/requirements.txt tools/dev/common.sh
}

# The dashboard's packages, and those that tests ask.
setup_node() {
  local lock folder name
  if [ "$(node -p 'process.versions.node.split(".")[0]')" -lt 20 ]; then
    say "installing node $NODE_VERSION into .cache, since the machine's is $(node --version)"
    npm install --prefix .cache/node --no-audit --no-fund --loglevel=error "node@$NODE_VERSION"
    export PATH="$ROOT/.cache/node/node_modules/node/bin:$PATH"
  fi
  for lock in web/package-lock.json tests/clients/*/package-lock.json; do
    [ -f "$lock" ] || continue
    folder=$(dirname "$lock")
    name=node-${folder//\//-}
    stamped "$name" "$lock" && [ -d "$folder/node_modules" ] && continue
    say "installing the node packages of $folder"
    # Not `npm ci`: npm 11 leaves packages for other platforms out of the lock file and then misses them.
    (cd "$folder" && npm install --no-audit --no-fund --loglevel=error)
    stamp "$name" "$lock"
  done
}
