# shellcheck shell=bash
# ./dev fuzz [TARGET] [SECONDS]: every parser of outside input, with coverage-guided fuzzing and sanitizers; then the
# engine's simulation, 10,000 random plans under random faults.
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
  [[ simulation == "$only"* ]] || return 0
  say "simulation of 10,000 seeds"
  cmake --preset release >/dev/null
  cmake --build build --target weir_engine_tests
  WEIR_SIMULATION_SEEDS=10000 build/bin/weir_engine_tests --gtest_filter='EngineSimulation.*'
}
