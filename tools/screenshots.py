"""Takes pictures of the admin in a headless Chromium, and tells what its console complained about.

    python -m tools.screenshots http://127.0.0.1:8000 admin@localhost PASSWORD /admin/=overview.png

Needs a `chromium` on the PATH. It is driven by the DevTools protocol over a pipe, so that it needs no library.
"""

import base64
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WIDTH, HEIGHT = 1400, 900
PATIENCE = 20.0  # seconds for a page
QUIET = 0.7  # seconds without a network event until a page counts as there
FLAGS = ("--headless=new", "--no-sandbox", "--remote-debugging-pipe", "--hide-scrollbars", "--disable-gpu")


class Browser:
    """One tab. `complaints` are the console's errors, among them what the content security policy refused."""

    def __init__(self, reads: int, writes: int) -> None:
        self._reads, self._writes, self._ids = reads, writes, itertools.count(1)
        self._buffer, self._session = b"", ""
        self._loading: set[str] = set()
        self.complaints: list[str] = []
        target = self.do("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.do("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.do(f"{domain}.enable")
        self.resize(HEIGHT)

    def do(self, method: str, **params: Any) -> dict[str, Any]:
        """A command's result; raises RuntimeError with the browser's own words."""
        number = next(self._ids)
        message = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._writes, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != number:
            self._note(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def open(self, url: str) -> None:
        self.do("Page.navigate", url=url)
        self.settle()

    def settle(self) -> None:
        """Until the page is complete and has asked the network for nothing for a while."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            time.sleep(QUIET)
            if self.evaluate("document.readyState") == "complete" and not self._loading:
                return

    def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        answer = self.do("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        return answer["result"].get("value")

    def resize(self, height: int) -> None:
        self.do("Emulation.setDeviceMetricsOverride", width=WIDTH, height=height, deviceScaleFactor=1, mobile=False)

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """The window, or the whole page however long."""
        if whole:
            self.resize(min(int(self.evaluate("document.documentElement.scrollHeight")), 4000))
            time.sleep(QUIET)
        shot = self.do("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(shot["data"]))
        if whole:
            self.resize(HEIGHT)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            self._buffer += os.read(self._reads, 1 << 20)
        line, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message

    def _note(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        match message.get("method"):
            case "Network.requestWillBeSent":
                self._loading.add(params["requestId"])
            case "Network.loadingFinished" | "Network.loadingFailed":
                self._loading.discard(params["requestId"])
            case "Log.entryAdded" if params["entry"]["level"] in {"error", "warning"}:
                self.complaints.append(f"{params['entry']['text']} ({params['entry'].get('url', '')})")
            case "Runtime.exceptionThrown":
                self.complaints.append(params["exceptionDetails"]["exception"].get("description", "exception"))
            case "Runtime.consoleAPICalled" if params["type"] == "error":
                self.complaints.append(" ".join(str(one.get("value", "")) for one in params["args"]))


@contextmanager
def browser() -> Iterator[Browser]:
    """A fresh one, with a profile that is thrown away; raises SystemExit where there is no Chromium."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        raise SystemExit("chromium is not installed")
    (theirs_in, ours_out), (ours_in, theirs_out) = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory(prefix="trunkline-browser-", ignore_cleanup_errors=True) as profile:
        command = " ".join([program, *FLAGS, f"--user-data-dir={profile}", f"3<&{theirs_in} 4>&{theirs_out}"])
        process = subprocess.Popen(  # the shell only puts the pipes where Chromium looks for them
            ["sh", "-c", f"exec {command}"], pass_fds=(theirs_in, theirs_out), stderr=subprocess.DEVNULL
        )
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            yield Browser(ours_in, ours_out)
        finally:
            process.terminate()
            process.wait()


def log_in(tab: Browser, address: str, email: str, password: str) -> None:
    tab.open(f"{address}/admin/login/")
    fields = f"u.value = {json.dumps(email)}; p.value = {json.dumps(password)}"
    tab.evaluate(
        f"(() => {{ const [u, p] = ['username', 'password'].map(n => document.getElementsByName(n)[0]);"
        f" {fields}; document.getElementById('login-form').submit() }})()"
    )
    tab.settle()
    if tab.evaluate("location.pathname").endswith("/login/"):
        raise SystemExit("could not log in")


def main(address: str, email: str, password: str, *wanted: str) -> int:
    """Each of `wanted` is PATH=FILE.png; 1 if the console complained."""
    with browser() as tab:
        log_in(tab, address, email, password)
        for one in wanted:
            path, _, name = one.rpartition("=")
            tab.open(address + path)
            tab.picture(Path(name), whole=True)
            print(f"{name}: {tab.evaluate('document.title')}")
        print(*tab.complaints, sep="\n")
        return 1 if tab.complaints else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
