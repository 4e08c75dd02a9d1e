"""The engine's child process with its bare pipes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from KidneyParsingLib.engine.messages import ProgressReply, Reply, Request, SegmentRequest, decode, encode

FAKE_ENGINE = Path(__file__).with_name("fake_engine.py")


class RawEngine:
    """A fake engine; what it sends is read in order."""

    def __init__(self, steps: int = 5) -> None:
        command = [sys.executable, str(FAKE_ENGINE), str(steps)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    def send(self, *requests: Request | bytes) -> None:
        for request in requests:
            self.process.stdin.write(request if isinstance(request, bytes) else encode(request))
        self.process.stdin.flush()

    def reply(self) -> Reply:
        return decode(self.process.stdout.readline())

    def replies_until(self, *kinds: type) -> list[Reply]:
        replies = [self.reply()]
        while not isinstance(replies[-1], kinds):
            replies.append(self.reply())
        return replies

    def wait_for(self, phase: str) -> None:
        while not isinstance(reply := self.reply(), ProgressReply) or reply.phase != phase:
            pass

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def segment_request(ct: Path, output: Path, id: str = "1", model: str = "plain") -> SegmentRequest:
    return SegmentRequest(id, str(ct), str(output), model)
