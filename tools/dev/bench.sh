# shellcheck shell=bash
# Each benchmark runs its peer in the same run. Names: start workflow http track gateway toolkit; none = all.
cmd_bench() {
  # shellcheck source=tools/dev/build.sh
  source tools/dev/build.sh
  cmd_build --preset release
  local name wanted=("$@")
  [ ${#wanted[@]} -gt 0 ] || wanted=(start workflow http track gateway toolkit)
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
        "$VENV/bin/python" bench/workflow_bench.py --weir build/bin/weir --act "${act:-none}"
        ;;
      http)
        cmake --build build --target benchmarks
        build/bin/http_bench
        ;;
      start | track | gateway | toolkit) PATH="$VENV/bin:$PATH" WEIR_BUILD=$ROOT/build "$VENV/bin/python" "bench/${name}_bench.py" ;;
      *) die "there is no benchmark \"$name\"; choose start, workflow, http, track, gateway or toolkit" ;;
    esac
  done
}
