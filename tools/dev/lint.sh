# shellcheck shell=bash
cmd_lint() {
  parse_preset "$@"
  # shellcheck source=tools/dev/setup.sh
  source tools/dev/setup.sh
  cmd_setup
  ./tools/check_deps.sh
  git ls-files '*.cc' '*.h' | xargs "$VENV/bin/clang-format" --dry-run --Werror
  shellcheck -x dev tools/dev/*.sh tools/*.sh
  # A source file takes clang-tidy seconds: those that changed, those that are named, or `all`.
  local sources
  if [ "${REST[0]:-}" = all ]; then
    mapfile -t sources < <(git ls-files 'src/*.cc')
  elif [ ${#REST[@]} -gt 0 ]; then
    sources=("${REST[@]}")
  else
    mapfile -t sources < <(git diff --name-only --diff-filter=d HEAD -- 'src/*.cc')
  fi
  if [ ${#sources[@]} -gt 0 ] && [ -f "$BUILD/compile_commands.json" ]; then
    printf '%s\0' "${sources[@]}" | xargs -0 -n 1 -P "$(nproc)" clang-tidy-19 -p "$BUILD" --quiet
  fi
}
