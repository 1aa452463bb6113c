# shellcheck shell=bash
# Each benchmark runs its peer in the same run. Names: start workflow plan log toolkit responsive http track gateway; none
# = all.
# BENCH_OPTIONS are handed to a benchmark that is a script.
cmd_bench() {
  # shellcheck source=tools/dev/build.sh
  source tools/dev/build.sh
  cmd_build --preset release
  local name wanted=("$@") BENCH_OPTIONS=${BENCH_OPTIONS:-}
  [ ${#wanted[@]} -gt 0 ] || wanted=(start workflow plan log toolkit responsive http track gateway)
  for name in "${wanted[@]}"; do
    say "benchmark: $name"
    case "$name" in
      workflow)
        local act
        act=$(command -v act || true)
        if [ -z "$act" ] && command -v go >/dev/null; then
          [ -x .cache/go/act ] || GOBIN=$ROOT/.cache/go go install github.com/nektos/act@v0.2.89
          act=$ROOT/.cache/go/act
        fi
        # shellcheck disable=SC2086
        "$VENV/bin/python" bench/workflow_bench.py --weir build/bin/weir --act "${act:-none}" $BENCH_OPTIONS
        ;;
      plan | http)
        cmake --build build --target benchmarks
        "build/bin/${name}_bench"
        ;;
      start | log | toolkit | responsive | track | gateway)
        # shellcheck disable=SC2086
        PATH="$VENV/bin:$PATH" WEIR_BUILD=$ROOT/build "$VENV/bin/python" "bench/${name}_bench.py" $BENCH_OPTIONS
        ;;
      *) die "there is no benchmark \"$name\"; choose start, workflow, plan, log, toolkit, responsive, http, track or" \
        "gateway" ;;
    esac
  done
}
