# shellcheck shell=bash
cmd_build() {
  parse_preset "$@"
  # shellcheck source=tools/dev/setup.sh
  source tools/dev/setup.sh
  cmd_setup
  build_web
  build_preset
}

build_web() {
  [ -f web/package.json ] || return 0
  local inputs
  mapfile -t inputs < <(git ls-files -co --exclude-standard web | sort)
  stamped web "${inputs[@]}" && [ -f web/dist/index.html ] && return 0
  say "building the dashboard"
  (cd web && npm run --silent build)
  stamp web "${inputs[@]}"
}

build_preset() {
  if [ ! -f "$BUILD/build.ninja" ] || [ ! -f "$BUILD/CMakeCache.txt" ]; then
    say "configuring $BUILD"
    mkdir -p "$BUILD"
    cmake --preset "$PRESET" >"$BUILD.log" 2>&1 || {
      cat "$BUILD.log" >&2
      die "configuring failed"
    }
    mv "$BUILD.log" "$BUILD/configure.log"
  fi
  say "compiling into $BUILD/bin"
  cmake --build "$BUILD"
}
