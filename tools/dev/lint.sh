# shellcheck shell=bash
cmd_lint() {
  parse_preset "$@"
  # shellcheck source=tools/dev/setup.sh
  source tools/dev/setup.sh
  cmd_setup
  ./tools/check_deps.sh
  git ls-files '*.cc' '*.h' | xargs "$VENV/bin/clang-format" --dry-run --Werror
  shellcheck -x dev tools/dev/*.sh tools/*.sh
  local changed
  mapfile -t changed < <(git diff --name-only --diff-filter=d HEAD -- 'src/*.cc')
  if [ ${#changed[@]} -gt 0 ] && [ -f "$BUILD/compile_commands.json" ]; then
    clang-tidy-19 -p "$BUILD" --quiet "${changed[@]}"
  fi
}
