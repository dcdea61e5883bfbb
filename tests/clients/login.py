"""Signs Claude Code in at a gateway, as a person does at a terminal, and then asks it something.

    python login.py GATEWAY PROMPT

Prints {"code": ...} when it shows a code, waits until the device is let in, and prints {"said": ...} at the end. What Claude Code
is told stands in settings below HOME; the keys that are pressed follow what stands on its screen.
"""

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import claude_agent_sdk
import pyte

CLAUDE = Path(claude_agent_sdk.__file__).parent / "_bundled" / "claude"
COLUMNS, LINES = 160, 50
UP, ENTER = b"\x1b[A", b"\r"
# How long a step may take on a busy machine, in seconds.
PATIENCE = 120


class Terminal:
    """Claude Code in a terminal."""

    def __init__(self, folder: Path):
        self.screen = pyte.Screen(COLUMNS, LINES)
        self.stream = pyte.ByteStream(self.screen)
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execve(CLAUDE, ["claude"], os.environ | {"TERM": "xterm-256color", "BROWSER": "true"})
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))

    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display)

    def wait(self, pattern: str, still: bool = True) -> re.Match:
        """Reads until this stands on the screen; `still`: and until nothing has moved for a moment."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            ready, _, _ = select.select([self.fd], [], [], 0.5)
            if ready:
                self.stream.feed(os.read(self.fd, 65536))
            found = re.search(pattern, self.text())
            if found and not (ready and still):
                return found
        raise SystemExit(f"`{pattern}` never stood on the screen:\n{self.text()}")

    def choose(self, line: str) -> None:
        """Moves to a line of a menu, and confirms it."""
        for _ in range(8):
            self.wait(line)
            if re.search(rf"❯\s*{line}", self.text()):
                self.press(ENTER)
                return
            self.press(UP)
        raise SystemExit(f"`{line}` cannot be chosen:\n{self.text()}")

    def press(self, keys: bytes) -> None:
        os.write(self.fd, keys)

    def close(self) -> None:
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)


def main() -> None:
    gateway, prompt = sys.argv[1:]
    home = Path(os.environ["HOME"])
    folder = home / "work"
    folder.mkdir()
    (home / ".claude").mkdir()
    settings = {"forceLoginMethod": "gateway", "forceLoginGatewayUrl": gateway}
    (home / ".claude" / "settings.json").write_text(json.dumps(settings))

    terminal = Terminal(folder)
    terminal.wait("Choose the text style")
    terminal.press(ENTER)
    terminal.wait(f"(?s){re.escape(gateway)}.*Enter to connect")
    terminal.press(ENTER)
    terminal.choose("Yes, trust this gateway")
    code = terminal.wait(r"\b[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}\b", still=False)
    print(json.dumps({"code": code[0]}), flush=True)
    who = terminal.wait("Signed in to .* as (.*)")[1]
    terminal.choose("Yes, continue")
    terminal.wait("Connected to Cloud gateway")
    terminal.close()

    asked = subprocess.run(
        [CLAUDE, "-p", prompt, "--model", "claude-stand-in"],
        cwd=folder, capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL,
    )
    print(json.dumps({"who": who.strip(), "said": asked.stdout + asked.stderr}), flush=True)


main()
