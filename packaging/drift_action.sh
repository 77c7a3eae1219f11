#!/usr/bin/env bash
# The action's own step: compares, and writes SARIF, a report for the summary and the comment, and the outputs.
#
# Inputs come as variables, lists with one on each line; nothing of them is run.
set -uo pipefail

program=api-patterns
if [ "$VERSION" != none ]; then
  program=$RUNNER_TEMP/api-patterns/bin/api-patterns
  if [ "$RUNNER_OS" = Windows ]; then program=$RUNNER_TEMP/api-patterns/Scripts/api-patterns.exe; fi
fi

arguments=()
add() { # add OPTION LINES: each line is a value of the option, or an argument where there is no option
  local line
  while IFS= read -r line; do
    line=${line#"${line%%[![:space:]]*}"}
    line=${line%"${line##*[![:space:]]}"}
    if [ -n "$line" ]; then
      if [ -n "$1" ]; then arguments+=("$1"); fi
      arguments+=("$line")
    fi
  done <<< "$2"
}

fail() {
  echo "::error::$1" >&2
  exit 2
}

if [ -n "${API//[[:space:]]/}" ]; then
  command=drift
  add --api "$API"
elif [ -n "${AGAINST//[[:space:]]/}" ]; then
  command=diff
else
  fail "the input api or the input against says what the captures are compared with; both are empty"
fi
if [ -n "$BASELINE" ]; then arguments+=(--baseline "$BASELINE"); fi
if [ -n "$FAIL_ON" ]; then arguments+=(--fail-on "$FAIL_ON"); fi
add "" "$ARGUMENTS"
arguments+=(--)
if [ "$command" = diff ]; then add "" "$AGAINST"; fi
add "" "$CAPTURES"

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
