//! Completion scripts, in the shells themselves.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::support::program;

/// Arguments that are typed after the program, and a word that the shell must suggest for the last of them.
const TYPED: [(&[&str], &str); 5] = [
    (&["ana"], "analyze"),
    (&["analyze", "--for"], "--format"),
    (&["analyze", "--format", ""], "markdown"),
    (&["rules", "in"], "init"),
    (&["rules", "init", "--meth"], "--method"),
];

/// Command lines that already name a capture, each with an option that completion must suggest next. Only the scripts of
/// bash, fish and zsh take earlier arguments into account.
const TYPED_BEHIND_CAPTURE: [(&[&str], &str); 2] =
    [(&["analyze", "demo.har", "--so"], "--sort"), (&["show", "demo.har", "--endp"], "--endpoint")];

/// Runs a script in a shell.
fn run(shell: &str, arguments: &[&str], script: &str) -> String {
    let mut child = Command::new(shell)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn script_of(shell: &str) -> String {
    program(&["completions", shell]).stdout
}

pub fn bash_completes_behind_subcommands() {
    let mut script = script_of("bash");
    script += "\ntry() { COMP_WORDS=(api-patterns \"$@\"); COMP_CWORD=$#; COMPREPLY=()\n\
               _api__patterns api-patterns \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD-1]}\"; echo \"> ${COMPREPLY[*]}\"; }\n";
    for (typed, _) in TYPED.iter().chain(&TYPED_BEHIND_CAPTURE) {
        writeln!(script, "try '{}'", typed.join("' '")).unwrap();
    }
    let output = run("bash", &["--norc", "-s"], &script);
    let suggested: Vec<&str> = output.lines().filter(|line| line.starts_with('>')).collect();
    assert_eq!(suggested.len(), TYPED.len() + TYPED_BEHIND_CAPTURE.len(), "{output}");
    for ((typed, word), line) in TYPED.iter().chain(&TYPED_BEHIND_CAPTURE).zip(suggested) {
        assert!(line.split(' ').any(|found| found == *word), "{typed:?}: {line}");
    }
}

pub fn fish_completes_behind_subcommands() {
    let mut script = script_of("fish");
    for (typed, _) in TYPED.iter().chain(&TYPED_BEHIND_CAPTURE) {
        writeln!(script, "\necho '>'; complete -C \"api-patterns {}\"", typed.join(" ")).unwrap();
    }
    let output = run("fish", &["--no-config"], &script);
    let parts: Vec<&str> = output.split(">\n").skip(1).collect();
    assert_eq!(parts.len(), TYPED.len() + TYPED_BEHIND_CAPTURE.len(), "{output}");
    for ((typed, word), part) in TYPED.iter().chain(&TYPED_BEHIND_CAPTURE).zip(parts) {
        let has = |line: &str| line.split('\t').next() == Some(*word);
        assert!(part.lines().any(has), "{typed:?}: {part}");
    }
}

/// Checks what shells suggest whose scripts know commands and options, and no values of options: a word a line, behind a line `>`
/// for each of what is typed.
fn check_words(output: &str) {
    let parts: Vec<&str> = output.split(">\n").skip(1).collect();
    assert_eq!(parts.len(), TYPED.len(), "{output}");
    for ((typed, word), part) in TYPED.iter().zip(parts) {
        let is_value = typed.last().is_some_and(|last| last.is_empty());
        assert!(is_value || part.lines().any(|found| found == *word), "{typed:?}: {part}");
    }
}

/// Elvish completes in a terminal alone, so its script registers what it completes with in names of the test.
pub fn elvish_completes_behind_subcommands() {
    let script = script_of("elvish").replace("edit:completion:arg-completer", "completers");
    let mut script = script.replace("edit:complex-candidate", "candidate");
    script.insert_str(0, "var completers = [&]\nfn candidate {|stem &display=''| put $stem }\n");
    for (typed, _) in TYPED {
        writeln!(
            script,
            "echo '>'; $completers[api-patterns] api-patterns '{}' | each {{|word| echo $word }}",
            typed.join("' '")
        )
        .unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("try.elv");
    std::fs::write(&file, script).unwrap();
    let output = run("elvish", &["-norc", file.to_str().unwrap()], "");
    check_words(&output);
}

pub fn powershell_completes_behind_subcommands() {
    let mut script = script_of("powershell");
    for (typed, _) in TYPED {
        let line = format!("api-patterns {}", typed.join(" "));
        let length = line.len();
        writeln!(
            script,
            "'>'; (TabExpansion2 -inputScript '{line}' -cursorColumn {length}).CompletionMatches | ForEach-Object {{ $_.CompletionText }}"
        )
        .unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("try.ps1");
    std::fs::write(&file, script).unwrap();
    let arguments = ["-NoProfile", "-NonInteractive", "-File", file.to_str().unwrap()];
    let output = run("pwsh", &arguments, "");
    check_words(&output.replace('\r', ""));
}

pub fn zsh_completes_behind_subcommands() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("_api-patterns"), script_of("zsh")).unwrap();
    // A shell in a pseudo terminal, in which keys are pressed. Keys are lost where the shell does not edit its line yet, so that
    // the last ones are pressed again every second until what they are for is there.
    let mut script = format!(
        "zmodload zsh/zpty || {{ echo no zpty; exit }}\nzpty z zsh -f -i\n\
         press() {{ local shown= chunk; zpty -w -n z $1\n\
           repeat 30; do zpty -w -n z $2\n\
             repeat 10; do sleep .1; while zpty -r -t z chunk; do shown+=$chunk; done; [[ $shown == *$3* ]] && break 2; done\n\
           done\n\
           print -r -- \">${{shown}}\"; zpty -w -n z $'\\x15'; }}\n\
         press 'PS1=; setopt ignore_eof; fpath=({} $fpath); autoload -Uz compinit; compinit -u -D; \
         zstyle \":completion:*\" list-prompt \"\"; LISTMAX=1000; echo re\"\"ady' $'\\n' ready\n",
        folder.path().display()
    );
    for (typed, word) in TYPED.iter().chain(&TYPED_BEHIND_CAPTURE) {
        // Ctrl-D lists what could follow, and does not insert it.
        writeln!(script, "press 'api-patterns {}' $'\\x04' '{word}'", typed.join(" ")).unwrap();
    }
    script += "zpty -d z\n";
    let output = run("zsh", &["-f", "-s"], &script);
    let parts: Vec<&str> = output.split('>').skip(2).collect();
    assert_eq!(parts.len(), TYPED.len() + TYPED_BEHIND_CAPTURE.len(), "{output}");
    for ((typed, word), part) in TYPED.iter().chain(&TYPED_BEHIND_CAPTURE).zip(parts) {
        assert!(part.contains(word), "{typed:?}: {part}");
    }
}
