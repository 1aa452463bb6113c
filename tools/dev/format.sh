# shellcheck shell=bash
cmd_format() {
  # shellcheck source=tools/dev/setup.sh
  source tools/dev/setup.sh
  setup_python
  git ls-files -co --exclude-standard '*.cc' '*.h' | xargs "$VENV/bin/clang-format" -i
}
