#!/usr/bin/env python3
"""Runs `api-patterns explore` in a real terminal, tmux.

explorer.py check PROGRAM CAPTURE          presses keys and the mouse in several terminals, and looks at the screen
explorer.py record PROGRAM CAPTURE SVG     records the explorer at work, as an animated picture
"""

import html
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FAILURES = []


def check(holds, what, screen=""):
    print(f"{'ok    ' if holds else 'FAILED'} {what}")
    if not holds:
        FAILURES.append(what)
        print(screen)


class Terminal:
    """A terminal of tmux in which a shell runs, on a server of its own."""

    def __init__(self, columns, rows, environment=()):
        self.socket = tempfile.mkdtemp() + "/tmux"
        start = ["new-session", "-d", "-s", "x", "-x", str(columns), "-y", str(rows)]
        for pair in environment:
            start += ["-e", pair]
        self.tmux(*start, "sh")
        self.tmux("set", "-g", "escape-time", "0")

    def tmux(self, *arguments):
        command = ["tmux", "-S", self.socket, "-f", "/dev/null", *arguments]
        return subprocess.run(command, capture_output=True, text=True).stdout

    def type(self, text):
        self.tmux("send-keys", "-t", "x", "-l", text)

    def press(self, *keys):
        for key in keys:
            self.tmux("send-keys", "-t", "x", key)

    def screen(self, *options):
        return self.tmux("capture-pane", "-p", "-t", "x", *options)

    def flag(self, name):
        return self.tmux("display-message", "-p", "-t", "x", f"#{{{name}}}").strip()

    def wait_for(self, holds):
        """Waits until something holds of the screen, for ten seconds at most. Gives the last screen and whether it holds."""
        end = time.time() + 10
        while True:
            screen = self.screen()
            if holds(screen) or time.time() > end:
                return screen, holds(screen)
            time.sleep(0.05)

    def sees(self, text, what):
        screen, found = self.wait_for(lambda screen: text in screen)
        check(found, what, screen)
        return screen

    def end(self):
        self.tmux("kill-server")


def explore(terminal, program, *arguments):
    terminal.type(shlex.join([program, "explore", *arguments]) + "; echo ended $?\n")
    return terminal.wait_for(lambda screen: "hosts and paths" in screen)


def pid_of(program):
    """The newest process of the program."""
    found = subprocess.run(["pgrep", "-n", "-f", f"^{re.escape(program)} explore"], capture_output=True, text=True)
    return int(found.stdout.strip() or 0)


def is_restored(terminal, what):
    screen, ended = terminal.wait_for(lambda screen: "ended " in screen)
    terminal.type("stty -a | tr ' ' '\\n' | grep -c -x -e icanon -e echo -e isig\n")
    screen, modes = terminal.wait_for(lambda screen: "\n3\n" in screen)
    flags = [terminal.flag(name) for name in ("alternate_on", "mouse_any_flag", "cursor_flag")]
    check(ended and modes and flags == ["0", "0", "1"], f"the terminal is as before after {what}", f"{screen}{flags}")


def check_all(program, capture, folder):
    rules = folder / "rules.toml"
    terminal = Terminal(110, 34)
    explore(terminal, program, capture)
    terminal.sees("all hosts", "hosts are shown")
    terminal.type("/users/me")
    screen = terminal.sees("search: users/me", "search takes text")
    check("1 endpoint by" in screen, "and chooses at once", screen)
    terminal.press("Enter", "End", "m")
    terminal.sees("name of the parameter for me: user_id", "a likely name is given")
    terminal.press("Enter")
    terminal.sees("endpoints became", "a correction changes the answer at once")
    terminal.press("w", "C-u")
    terminal.type(str(rules))
    terminal.press("Enter")
    terminal.sees("1 correction written", "rules are written")
    terminal.press("q")
    is_restored(terminal, "q")
    answer = subprocess.run([program, "analyze", "-q", "--rules", str(rules), capture, "--format", "csv"], capture_output=True, text=True)
    check("/users/me" not in answer.stdout and not answer.stderr, "every command takes the rules", answer.stdout + answer.stderr)
    terminal.end()

    terminal = Terminal(80, 24, ["NO_COLOR=1"])
    explore(terminal, program, capture)
    terminal.press("Tab", "Down", "Enter")
    screen = terminal.sees("p50/p95/p99", "80 columns and 24 rows show details")
    check(len(screen.splitlines()) <= 24 and all(len(line) <= 80 for line in screen.splitlines()), "and nothing is wider", screen)
    codes = set(re.findall(r"\x1b\[([\d;]*)m", terminal.screen("-e")))
    colours = [code for code in codes if re.search(r"(^|;)(3[0-8]|4[0-8]|9\d|10\d)(;|$)", code)]
    check(not colours and codes, f"without colours there are none, but {len(codes)} other styles", str(colours))
    terminal.press("?")
    terminal.sees("others close this", "? helps")
    terminal.press("x", "C-c")
    is_restored(terminal, "Ctrl-C")
    terminal.end()

    terminal = Terminal(100, 30)
    explore(terminal, program, capture)
    # Buttons as xterm writes them (SGR, 1006): press at a column and a row, from 1.
    terminal.type("\x1b[<0;60;5M")
    terminal.sees("statuses  200 × 5", "a click in the table shows an endpoint")
    before = terminal.screen()
    terminal.type("\x1b[<65;60;25M")
    terminal.wait_for(lambda screen: screen != before)
    check(terminal.screen() != before, "the wheel scrolls", before)
    for name in ("TERM", "HUP", "INT"):
        if name != "TERM":
            explore(terminal, program, capture)
        os.kill(pid_of(program), getattr(signal, f"SIG{name}"))
        is_restored(terminal, f"SIG{name}")
        terminal.type("clear\n")
    explore(terminal, program, capture)
    pid = pid_of(program)
    terminal.end()
    end = time.time() + 10
    while os.path.exists(f"/proc/{pid}") and time.time() < end:
        time.sleep(0.1)
    check(not os.path.exists(f"/proc/{pid}"), "it ends with its terminal")

    growing = folder / "growing.jsonl"
    line = '{"method": "GET", "url": "https://grow.example/%s", "status": 200}\n'
    growing.write_text(line % "first")
    terminal = Terminal(100, 30)
    explore(terminal, program, "--follow", "--interval", "0.2", str(growing))
    with growing.open("a") as file:
        file.write(line % "second")
    terminal.sees("/second", "what is added to a capture is shown")
    terminal.press("End", "p", "q")
    terminal.sees("the corrections are in no file", "corrections are not lost by q")
    terminal.press("q")
    is_restored(terminal, "q with --follow")
    terminal.end()


# What is recorded: keys, and seconds that the screen after them is shown.
RECORDED = [
    ([], 2.5),
    (["Down", "Down", "Down"], 1.2),
    (["Tab", "Down"], 1.2),
    (["Tab", "PgDn"], 2.0),
    (["Tab", "/", "u", "s", "e", "r", "s", "/", "m", "e"], 1.5),
    (["Enter", "End"], 1.0),
    (["m"], 1.5),
    (["Enter"], 2.5),
    (["u"], 2.0),
    (["Escape", "?"], 3.0),
]

PALETTE = {"1": "#ff7b72", "2": "#3fb950", "3": "#d29922", "4": "#79c0ff", "6": "#56d4dd", "7": "#b1bac4"}
FONT_WIDTH, LINE_HEIGHT, COLUMNS, ROWS = 7.8, 17, 92, 24


def runs(line):
    """The parts of a line of the screen: text and style, from the codes of the terminal (ECMA-48: SGR)."""
    style, parts = {}, []
    for code, text in re.findall(r"\x1b\[([\d;]*)m|([^\x1b]+)", line):
        if text:
            parts.append((text, dict(style)))
            continue
        # Colours of a palette are written as 38;5;N, the first eight of which are the named ones.
        code = re.sub(r"[34]8;5;(\d+)", lambda found: f"3{int(found[1]) % 8}", code)
        for number in (code or "0").split(";"):
            if number == "0":
                style = {}
            elif number in ("1", "2", "4", "7"):
                style[{"1": "bold", "2": "dim", "4": "under", "7": "reverse"}[number]] = True
            elif number == "39":
                style.pop("colour", None)
            elif number in ("22", "24", "27"):
                for name in {"22": ("bold", "dim"), "24": ("under",), "27": ("reverse",)}[number]:
                    style.pop(name, None)
            elif len(number) == 2 and number[0] in "39":
                style["colour"] = PALETTE.get(number[1], PALETTE["7"])
    return parts


def frame(screen):
    """The screen as elements of SVG."""
    out = []
    for row, line in enumerate(screen.splitlines()):
        column, spans = 0, []
        top = 12 + row * LINE_HEIGHT
        for text, style in runs(line.rstrip()):
            colour = style.get("colour", "#e6edf3")
            if style.get("reverse"):
                out.append(f'<rect x="{8 + column * FONT_WIDTH:.1f}" y="{top}" width="{len(text) * FONT_WIDTH:.1f}" height="{LINE_HEIGHT}" fill="{colour}"/>')
                colour = "#0d1117"
            names = " ".join(name[0] for name in ("bold", "dim", "under") if style.get(name))
            attributes = (f' class="{names}"' if names else "") + (f' fill="{colour}"' if colour != "#e6edf3" else "")
            escaped = html.escape(text, quote=False)
            spans.append(f"<tspan{attributes}>{escaped}</tspan>" if attributes else escaped)
            column += len(text)
        if spans:
            # The length keeps the columns in line in every font.
            out.append(f'<text x="8" y="{top + 13}" textLength="{column * FONT_WIDTH:.1f}">{"".join(spans)}</text>')
    return "".join(out)


def record(program, capture, output):
    terminal = Terminal(COLUMNS, ROWS, ["COLORTERM="])
    explore(terminal, program, capture)
    frames = []
    for keys, seconds in RECORDED:
        terminal.press(*keys)
        time.sleep(0.4)
        frames.append((frame(terminal.screen("-e")), seconds))
    terminal.press("x", "q", "q")
    terminal.end()
    whole = sum(seconds for _, seconds in frames)
    style, groups, start = [], [], 0.0
    for number, (elements, seconds) in enumerate(frames):
        begin, end = 100 * start / whole, 100 * (start + seconds) / whole
        hidden = "0%{visibility:hidden}" if number else ""
        at_first = ' visibility="hidden"' if number else ""
        style.append(f"@keyframes k{number}{{{hidden}{begin:.2f}%{{visibility:visible}}{min(end, 100):.2f}%,100%{{visibility:hidden}}}}#f{number}{{animation:k{number} {whole}s step-end infinite}}")
        groups.append(f'<g id="f{number}"{at_first}>{elements}</g>')
        start += seconds
    width, height = 16 + COLUMNS * FONT_WIDTH, 24 + ROWS * LINE_HEIGHT
    text = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" height="{height}" role="img" aria-label="The explorer at work: a tree of hosts and paths, a table of endpoints, details, and a correction">'
    text += f"<style>text{{font:13px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#e6edf3;white-space:pre}}.b{{font-weight:700}}.d{{opacity:.65}}.u{{text-decoration:underline}}{''.join(style)}</style>"
    text += f'<rect width="100%" height="100%" rx="6" fill="#0d1117"/>{"".join(groups)}</svg>\n'
    Path(output).write_text(text)
    print(f"{len(frames)} screens in {len(text)} bytes")


def main():
    what, program, capture = sys.argv[1:4]
    program, capture = os.path.abspath(program), os.path.abspath(capture)
    if what == "record":
        record(program, capture, sys.argv[4])
        return
    with tempfile.TemporaryDirectory() as folder:
        check_all(program, capture, Path(folder))
    sys.exit(1 if FAILURES else 0)


main()
