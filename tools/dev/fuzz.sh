# shellcheck shell=bash
cmd_fuzz() {
  # shellcheck source=tools/dev/setup.sh
  source tools/dev/setup.sh
  cmd_setup
  local only=${1:-} seconds=${2:-60} target corpus
  cmake --preset asan-ubsan -B build-fuzz -DWEIR_FUZZ=ON >/dev/null
  cmake --build build-fuzz --target fuzzers
  for target in build-fuzz/bin/*_fuzz; do
    case "$(basename "$target")" in "$only"*) ;; *) continue ;; esac
    corpus=.cache/fuzz/$(basename "$target")
    mkdir -p "$corpus"
    say "$(basename "$target") for $seconds s"
    "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 "$corpus"
  done
}
