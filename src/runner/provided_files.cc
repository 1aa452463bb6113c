#include "runner/provided_files.h"

namespace weir::runner::provided {

const std::string_view kGithubScriptAction = R"yaml(name: GitHub script
description: Runs JavaScript with a client of the server's API
inputs:
  script: {required: true}
  github-token: {default: "${{ github.token }}"}
  debug: {default: "${{ runner.debug == '1' }}"}
  user-agent: {default: actions/github-script}
  previews: {}
  result-encoding: {default: json}
  retries: {default: '0'}
  retry-exempt-status-codes: {default: '400,401,403,404,422'}
  base-url: {}
outputs:
  result: {description: what the script returned}
runs:
  using: node20
  main: main.js
)yaml";

const std::string_view kGithubScriptMain = R"js('use strict';
const path = require('node:path');
const {createRequire} = require('node:module');
const core = require('@actions/core');
const exec = require('@actions/exec');
const glob = require('@actions/glob');
const io = require('@actions/io');
const {context, getOctokit} = require('@actions/github');
const {defaults} = require('@actions/github/lib/utils');
const {requestLog} = require('@octokit/plugin-request-log');
const {retry} = require('@octokit/plugin-retry');

// Files and packages of the workspace come first, then what this action brings along.
const fromWorkspace = createRequire(path.join(process.cwd(), 'script.js'));
function load(name) {
  try {
    return fromWorkspace(name);
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND' || name.startsWith('.') || path.isAbsolute(name)) throw error;
    return require(name);
  }
}
load.resolve = (name, options) => fromWorkspace.resolve(name, options);
load.cache = fromWorkspace.cache;

function clientOptions() {
  const retries = Number.parseInt(core.getInput('retries') || '0', 10);
  const exempt = core.getInput('retry-exempt-status-codes').split(',').map(Number).filter(Number.isInteger);
  const options = {
    log: core.getInput('debug').toLowerCase() === 'true' ? console : undefined,
    userAgent: core.getInput('user-agent') || undefined,
    previews: core.getInput('previews') ? core.getInput('previews').split(',') : undefined,
    retry: retries > 0 ? {doNotRetry: exempt} : {enabled: false},
    request: retries > 0 ? {...defaults.request, retries} : defaults.request,
  };
  if (core.getInput('base-url')) options.baseUrl = core.getInput('base-url');
  return options;
}

async function main() {
  const encoding = core.getInput('result-encoding') || 'json';
  if (encoding !== 'json' && encoding !== 'string') throw new Error('"result-encoding" must be "string" or "json"');
  const token = core.getInput('github-token', {required: true});
  const github = getOctokit(token, clientOptions(), retry, requestLog);
  const scope = {
    require: load, __original_require__: require, github, octokit: github, getOctokit, context, core, exec, glob, io};
  const AsyncFunction = Object.getPrototypeOf(async () => null).constructor;
  const script = new AsyncFunction(...Object.keys(scope), core.getInput('script', {required: true}));
  const result = await script(...Object.values(scope));
  if (encoding === 'string') {
    core.setOutput('result', String(result));
  } else {
    core.setOutput('result', JSON.stringify(result));
  }
}

function fail(error) {
  console.error(error);
  core.setFailed(`Unhandled error: ${error}`);
}
process.on('unhandledRejection', fail);
main().catch(fail);
)js";

const std::string_view kSetupCmlAction = R"yaml(name: Set up CML
description: Makes the program cml available
inputs:
  version: {default: latest}
  vega: {default: 'true'}
  sudo: {}
  force: {}
runs:
  using: composite
  steps:
    - shell: bash
      env:
        VERSION: ${{ inputs.version }}
        TOOLS: ${{ runner.tool_cache }}
        ACTION: ${{ github.action_path }}
      run: |
        VERSION=${VERSION#v}
        # cml as it runs here: helpers.cjs says what it needs.
        runs_here() {
          mkdir -p "$RUNNER_TEMP/weir-cml"
          printf '#!/bin/sh\nNODE_OPTIONS="--require \\"%s\\" $NODE_OPTIONS" exec "%s" "$@"\n' \
            "$ACTION/helpers.cjs" "$1" > "$RUNNER_TEMP/weir-cml/cml"
          chmod +x "$RUNNER_TEMP/weir-cml/cml"
          echo "$RUNNER_TEMP/weir-cml" >> "$GITHUB_PATH"
        }
        if program=$(command -v cml) && { [ "$VERSION" = latest ] || [ "$(cml --version)" = "$VERSION" ]; }; then
          runs_here "$program"
          echo "cml $(cml --version) is there: $program"
          exit 0
        fi
        folder=$TOOLS/cml/$VERSION
        if [ ! -x "$folder/bin/cml" ]; then
          if ! command -v npm > /dev/null; then
            echo "::error::cml is not installed, and there is no npm to install it with: put the program cml on PATH"
            exit 1
          fi
          if ! npm install --global --silent --no-audit --no-fund --prefix "$folder" "@dvcorg/cml@$VERSION"; then
            echo "::error::npm could not install @dvcorg/cml: put the program cml on PATH, a release of" \
              "https://github.com/iterative/cml"
            exit 1
          fi
        fi
        echo "$folder/bin" >> "$GITHUB_PATH"
        runs_here "$folder/bin/cml"
        echo "cml $("$folder/bin/cml" --version) is there: $folder/bin/cml"
)yaml";

const std::string_view kCmlHelpers =
    R"js(// Preloaded into cml.
'use strict';
// By it cml's reader of file types would ask for a file of its own as if it were on the web; cml needs it for nothing.
delete globalThis.fetch;
// cml asks every server but github.com by https; weir's own may speak http.
const http = require('http');
const https = require('https');
const own = new URL(process.env.GITHUB_API_URL || process.env.GITHUB_SERVER_URL || 'https://github.com');
const here = (name) => /^(localhost|.*\.localhost|127\.\d+\.\d+\.\d+|\[?::1\]?)$/.test(name);
const request = https.request;
https.request = function (options, ...rest) {
  const host = String(options?.hostname ?? options?.host ?? '').replace(/:\d+$/, '');
  const sameHost = host === own.hostname || (here(host) && here(own.hostname));
  if (own.protocol !== 'http:' || !sameHost || String(options.port || 443) !== (own.port || '80')) {
    return request.call(this, options, ...rest);
  }
  return http.request({...options, protocol: 'http:', agent: undefined}, ...rest);
};
)js";

const std::string_view kSetupDvcAction = R"yaml(name: Set up DVC
description: Makes the program dvc available
inputs:
  version: {default: latest}
runs:
  using: composite
  steps:
    - shell: bash
      env:
        VERSION: ${{ inputs.version }}
      run: |
        VERSION=${VERSION#v}
        if program=$(command -v dvc) && { [ "$VERSION" = latest ] || [ "$(dvc --version)" = "$VERSION" ]; }; then
          echo "dvc $(dvc --version) is there: $program"
          exit 0
        fi
        package=dvc
        if [ "$VERSION" != latest ]; then package="dvc==$VERSION"; fi
        python -m pip install --quiet --disable-pip-version-check "$package"
        echo "dvc $(dvc --version) is there: $(command -v dvc)"
)yaml";

const std::string_view kSetupUvAction = R"yaml(name: Set up uv
description: Makes the program uv available
inputs:
  version: {}
  version-file: {}
  python-version: {}
  activate-environment: {default: 'false'}
  venv-path: {}
  no-project: {default: 'false'}
  working-directory: {default: "${{ github.workspace }}"}
  checksum: {}
  github-token: {}
  enable-cache: {default: auto}
  cache-dependency-glob: {}
  restore-cache: {default: 'true'}
  save-cache: {default: 'true'}
  cache-suffix: {}
  cache-local-path: {}
  prune-cache: {}
  cache-python: {}
  ignore-nothing-to-cache: {}
  ignore-empty-workdir: {}
  tool-dir: {}
  tool-bin-dir: {}
  manifest-file: {}
  server-url: {}
  pyproject-file: {}
  uv-file: {}
  download-from-astral-mirror: {}
  add-problem-matchers: {}
  quiet: {}
  resolution-strategy: {}
outputs:
  uv-version: {value: "${{ steps.uv.outputs.uv-version }}"}
  uv-path: {value: "${{ steps.uv.outputs.uv-path }}"}
  uvx-path: {value: "${{ steps.uv.outputs.uvx-path }}"}
  cache-hit: {value: 'false'}
  cache-key: {value: ''}
  venv: {value: "${{ steps.uv.outputs.venv }}"}
  python-version: {value: "${{ inputs.python-version }}"}
  python-cache-hit: {value: 'false'}
runs:
  using: composite
  steps:
    - id: uv
      shell: bash
      env:
        VERSION: ${{ inputs.version }}
        VERSION_FILE: ${{ inputs.version-file || inputs.pyproject-file || inputs.uv-file }}
        PYTHON: ${{ inputs.python-version }}
        ACTIVATE: ${{ inputs.activate-environment }}
        VENV: ${{ inputs.venv-path }}
        NO_PROJECT: ${{ inputs.no-project }}
        FOLDER: ${{ inputs.working-directory }}
        CACHE: ${{ inputs.cache-local-path }}
        TOOL_DIR: ${{ inputs.tool-dir }}
        TOOL_BIN_DIR: ${{ inputs.tool-bin-dir }}
        TOOLS: ${{ runner.tool_cache }}
      run: bash --noprofile --norc -eo pipefail "$GITHUB_ACTION_PATH/setup.sh"
)yaml";

const std::string_view kSetupUvScript = R"bash(cd "$FOLDER"
# The version that a file of the project asks for.
wanted_in() {
  case ${1##*/} in
    .tool-versions) sed -nE 's/^uv[[:space:]]+([^[:space:]#]+).*/\1/p' "$1" ;;
    *.toml) sed -nE "s/^required-version[[:space:]]*=[[:space:]]*[\"']([^\"']+)[\"'].*/\1/p" "$1" ;;
    *) sed -nE 's/^uv[[:space:]]*([=<>~!][^;#[:space:]\\]*).*/\1/p' "$1" ;;
  esac | head -n 1
}
if [ -n "$VERSION_FILE" ] && [ ! -f "$VERSION_FILE" ]; then
  echo "::error::the file of uv's version is not there: $VERSION_FILE"
  exit 1
fi
for file in "$VERSION_FILE" uv.toml pyproject.toml; do
  if [ -z "$VERSION" ] && [ -n "$file" ] && [ -f "$file" ]; then VERSION=$(wanted_in "$file"); fi
done
VERSION=${VERSION#v}
case $VERSION in
  '' | latest | latest-known) wanted='' ;;
  [\<\>=~!]*) wanted=$VERSION ;;
  *.x) wanted="==${VERSION%x}*" ;;
  *.*.*) wanted="==$VERSION" ;;
  *) wanted="==$VERSION.*" ;;
esac
fits() {
  case $wanted in
    '') return 0 ;;
    ==*'*') case $1 in "$(printf %s "${wanted#==}" | tr -d '*')"*) return 0 ;; esac ;;
    ==*) [ "${wanted#==}" = "$1" ] && return 0 ;;
  esac
  return 1
}
version_of() { "$1" --version | cut -d ' ' -f 2; }
program=$(command -v uv || true)
if [ -z "$program" ] || ! fits "$(version_of "$program")"; then
  # One exact version serves all jobs; others are looked up anew.
  case $wanted in
    '' | *'*' | [\<\>~!]*) folder=$RUNNER_TEMP/uv ;;
    *) folder=$TOOLS/uv/${wanted#==} ;;
  esac
  if [ ! -x "$folder/bin/uv" ]; then
    python=$(command -v python3 || command -v python || true)
    mkdir -p "$(dirname "$folder")"
    part=$(mktemp -d "$folder.XXXXXX")
    if [ -z "$python" ] || ! "$python" -m pip install --quiet --disable-pip-version-check --target "$part" "uv$wanted"; then
      rm -rf "$part"
      echo "::error::pip could not install uv$wanted: put the program uv on PATH, or let pip reach a package index that has it"
      exit 1
    fi
    mv -T "$part" "$folder" 2> /dev/null || rm -rf "$part"
  fi
  program=$folder/bin/uv
fi
version=$(version_of "$program")
echo "uv $version is there: $program"
# The job's own environment stands for the machine's Python: uv, which knows it for a virtual one, is to take it for
# --system alone, and to find the project's own (.venv) without it.
if [ -n "${VIRTUAL_ENV:-}" ]; then
  mkdir -p "$RUNNER_TEMP/weir-uv"
  printf 'own=%q program=%q\n' "$VIRTUAL_ENV" "$program" > "$RUNNER_TEMP/weir-uv/places"
  cp "$GITHUB_ACTION_PATH/uv.sh" "$RUNNER_TEMP/weir-uv/uv"
  chmod +x "$RUNNER_TEMP/weir-uv/uv"
  ln -sf "$(dirname "$program")/uvx" "$RUNNER_TEMP/weir-uv/uvx"
  program=$RUNNER_TEMP/weir-uv/uv
fi
{
  echo "uv-version=$version"
  echo "uv-path=$program"
  echo "uvx-path=$(dirname "$program")/uvx"
} >> "$GITHUB_OUTPUT"
set_variable() { echo "$1=$2" >> "$GITHUB_ENV"; export "$1=$2"; }
if [ -n "$CACHE" ]; then set_variable UV_CACHE_DIR "${CACHE/#\~/$HOME}"; fi
if [ -n "$PYTHON" ]; then set_variable UV_PYTHON "$PYTHON"; fi
if [ -n "$TOOL_DIR" ]; then set_variable UV_TOOL_DIR "${TOOL_DIR/#\~/$HOME}"; fi
if [ -n "$TOOL_BIN_DIR" ]; then set_variable UV_TOOL_BIN_DIR "${TOOL_BIN_DIR/#\~/$HOME}"; fi
echo "${UV_TOOL_BIN_DIR:-$HOME/.local/bin}" >> "$GITHUB_PATH"
# Before other programs of the name that may lie there.
case $program in "$RUNNER_TEMP"/* | "$TOOLS"/*) dirname "$program" >> "$GITHUB_PATH" ;; esac
if [ "$ACTIVATE" = true ]; then
  VENV=${VENV:-.venv}
  case $VENV in /*) ;; *) VENV=$PWD/$VENV ;; esac
  rm -rf "$VENV"
  options=()
  if [ "$NO_PROJECT" = true ]; then options=(--no-project); fi
  "$program" venv "${options[@]}" "$VENV"
  echo "VIRTUAL_ENV=$VENV" >> "$GITHUB_ENV"
  echo "$VENV/bin" >> "$GITHUB_PATH"
  echo "venv=$VENV" >> "$GITHUB_OUTPUT"
fi
)bash";

const std::string_view kUvProgram = R"bash(#!/usr/bin/env bash
. "$(dirname "$0")/places"
if [ "${VIRTUAL_ENV:-}" = "$own" ]; then
  unset VIRTUAL_ENV
  for command in "$@"; do
    case $command in -*) ;; *) break ;; esac
  done
  if [ "${command:-}" = pip ]; then
    system=${UV_SYSTEM_PYTHON:-}
    arguments=()
    for argument in "$@"; do
      if [ "$argument" = --system ]; then system=1; else arguments+=("$argument"); fi
    done
    case $system in
      1 | [Tt]rue | TRUE | yes | on | y | t)
        unset UV_SYSTEM_PYTHON
        export VIRTUAL_ENV=$own UV_PYTHON=$own/bin/python
        set -- "${arguments[@]}"
        ;;
    esac
  fi
fi
exec "$program" "$@"
)bash";

}  // namespace weir::runner::provided
