#!/usr/bin/env bash
# The action's own step: compares, and writes SARIF, a report for the summary and the comment, and the outputs.
#
# Inputs come as variables, lists with one on each line; nothing of them is run.
set -uo pipefail

VERSION=${VERSION:-none} API=${API:-} AGAINST=${AGAINST:-} BASELINE=${BASELINE:-} FAIL_ON=${FAIL_ON:-} ARGUMENTS=${ARGUMENTS:-}
program=api-patterns
if [ "$VERSION" != none ]; then
  program=$RUNNER_TEMP/api-patterns/bin/api-patterns
  if [ "$RUNNER_OS" = Windows ]; then program=$RUNNER_TEMP/api-patterns/Scripts/api-patterns.exe; fi
fi

lines=()
read_lines() { # the lines of a text that are not empty, without blanks around them
  local line
  lines=()
  while IFS= read -r line; do
    line=${line#"${line%%[![:space:]]*}"}
    line=${line%"${line##*[![:space:]]}"}
    if [ -n "$line" ]; then lines+=("$line"); fi
  done <<< "$1"
}

fail() {
  echo "::error::$1" >&2
  exit 2
}

case $SARIF in *$'\n'*) fail "the input sarif names one file" ;; esac
arguments=()
if [ -n "$BASELINE" ]; then arguments+=(--baseline "$BASELINE"); fi
if [ -n "$FAIL_ON" ]; then arguments+=(--fail-on "$FAIL_ON"); fi
read_lines "$ARGUMENTS"
for line in ${lines[@]+"${lines[@]}"}; do
  case $line in -*" "*) fail "the input arguments has one option or value on each line; \`$line\` has more" ;; esac
  arguments+=("$line")
done
read_lines "$CAPTURES"
if [ ${#lines[@]} = 0 ]; then fail "the input captures names no capture"; fi
captures=("${lines[@]}")
read_lines "$API"
if [ ${#lines[@]} -gt 1 ]; then fail "the input api names one description; use the action once for each"; fi
if [ ${#lines[@]} = 1 ]; then
  command=drift
  arguments+=(--api="${lines[0]}" -- "${captures[@]}")
else
  command=diff
  read_lines "$AGAINST"
  if [ ${#lines[@]} = 0 ]; then
    fail "the input api or the input against says what the captures are compared with; both are empty"
  fi
  before=${lines[0]} after=${captures[0]}
  for line in "${lines[@]:1}"; do arguments+=(--also-before="$line"); done
  for line in "${captures[@]:1}"; do arguments+=(--also-after="$line"); done
  arguments+=(-- "$before" "$after")
fi

# The program reads its captures once for each format; 0 is nothing to fail on, 1 a finding, 2 a fault.
"$program" "$command" --format sarif --output "$SARIF" "${arguments[@]}"
code=$?
if [ "$code" -gt 1 ]; then fail "api-patterns $command could not compare (exit code $code); the log above says why"; fi
"$program" "$command" --format markdown --output "$REPORT" "${arguments[@]}" > /dev/null 2>&1
if [ $? -gt 1 ]; then fail "api-patterns $command could not write its report"; fi

cat "$REPORT" >> "$GITHUB_STEP_SUMMARY"
{
  echo "sarif=$SARIF"
  if [ "$code" = 1 ]; then echo "found=true"; else echo "found=false"; fi
} >> "$GITHUB_OUTPUT"
