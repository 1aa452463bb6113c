# shellcheck shell=bash
cmd_test() {
  parse_preset "$@"
  # shellcheck source=tools/dev/build.sh
  source tools/dev/build.sh
  cmd_build --preset "$PRESET"
  export PATH="$VENV/bin:$PATH"

  local failed=()
  say "layer rules"
  ./tools/check_deps.sh || failed+=(layers)
  say "unit and scenario tests"
  ctest --test-dir "$BUILD" --output-on-failure --no-tests=error -j2 "${REST[@]}" || failed+=(ctest)
  # A run for each folder: their helpers share names.
  local folder
  for folder in tests/clients/*/; do
    compgen -G "$folder/test_*.py" >/dev/null || continue
    say "real clients: $(basename "$folder")"
    WEIR_BUILD=$ROOT/$BUILD "$VENV/bin/python" -m pytest -q -p no:cacheprovider --timeout 300 "$folder" || failed+=("$folder")
  done
  if [ -f web/package.json ]; then
    say "dashboard"
    (cd web && npm test --silent) || failed+=(dashboard)
  fi
  [ ${#failed[@]} -eq 0 ] || die "failed: ${failed[*]}"
  say "every test passed"
}
