"""A throw-away instance: this machine's root under an overlay, in a mount namespace of its own.

What it writes goes to a file system in memory, and is gone with the namespace. In the place of what
would reach out (dnf, aws, curl, systemctl, ...) there are stand-ins that record their calls.
"""

import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

AGENT_HOME = "/var/lib/buildkite-agent"
HOOK = "/etc/buildkite-agent/hooks/environment"
ENVIRONMENT = {
    "PATH": "/stand-ins:/usr/sbin:/usr/bin:/sbin:/bin",
    "BUILDKITE_STACK_NAME": "conbench-prod-buildkite-q",
    "BUILDKITE_QUEUE": "arm64-t4g-2xlarge-linux",
    "BUILDKITE_SECRETS_BUCKET": "conbench-prod-buildkite-secrets",
    "BUILDKITE_SECRETS_BUCKET_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
}

# Each records its call, reads all of its standard input as a rude child would, and fails on demand.
_STAND_IN = """#!/bin/bash
cat >/dev/null
printf '%s\\n' "{name} $*" >>/stand-ins/calls
if [[ -e /stand-ins/fail && "{name} $*" == $(</stand-ins/fail) ]]; then exit 7; fi
{action}
"""
_ACTIONS = {
    "dnf": 'for p in "$@"; do [[ $p == -* || $p == install ]] || touch "/stand-ins/rpm-$p"; done',
    "rpm": "[[ -e /stand-ins/rpm-${!#} ]]",
    "curl": """while (($# > 1)); do
    [[ $1 == --output ]] && cp /stand-ins/miniconda.sh "$2"; shift; done""",
    "aws": """case "$*" in
    *list-objects-v2*) if [[ -e /stand-ins/env ]]; then echo 1; else echo 0; fi ;;
    *'s3 cp'*) while read -r line || [[ $line ]]; do
        printf '%s\\n' "$line" >>"${!#}"; /bin/sleep 0.05; done </stand-ins/env ;;
esac""",
    "systemctl": "",
    "sysctl": "",
    "usermod": "",
    "docker": "",
    "visudo": "",
    "sleep": "",
    "uname": "cat /stand-ins/architecture",
    "sha256sum": 'cat /stand-ins/checksum-status >/dev/null; exit "$(</stand-ins/checksum-status)"',
}
_MINICONDA = """#!/bin/bash
[[ $1 == -b && $2 == -p ]] || exit 9
mkdir -p "$3/bin" "$3/etc/profile.d"
printf '#!/bin/sh\\necho conda 26.1.1\\n' >"$3/bin/conda"
chmod +x "$3/bin/conda"
touch "$3/etc/profile.d/conda.sh"
"""


class NamespacesRefusedError(Exception):
    """The machine does not let us have a mount namespace with an overlay."""


class Instance:
    """An instance as the Elastic CI Stack has it when the bootstrap script comes."""

    def __init__(self, folder: Path, *, architecture: str = "x86_64") -> None:
        """Make it, with *folder* for a mount point.

        Raises:
            NamespacesRefusedError: there are no mount namespaces, or no overlays, here.
        """
        missing = [t for t in ("unshare", "nsenter", "useradd") if shutil.which(t) is None]
        if missing:
            raise NamespacesRefusedError(f"there is no {', '.join(missing)}")
        namespace = ["unshare", "--mount", "--propagation", "private"]
        if os.geteuid() != 0:
            namespace += ["--map-root-user", "--map-auto"]
        setup = (
            f"set -e; cd {shlex.quote(str(folder))}; mount -t tmpfs none .; cd .; "
            'cd "$PWD"; mkdir upper work root; '
            "mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root; "
            "mount --rbind /dev root/dev; mount --rbind /proc root/proc; "
            "mount -t tmpfs none root/tmp; echo ready; exec sleep 600"
        )
        self._holder = subprocess.Popen(
            [*namespace, "bash", "-c", setup],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdout is not None
        assert self._holder.stderr is not None
        if self._holder.stdout.readline() != "ready\n":
            raise NamespacesRefusedError(self._holder.stderr.read())
        # As the namespace's processes see it, and we through /proc.
        self.root = Path(f"/proc/{self._holder.pid}/root{folder}/root")
        self._inside = folder / "root"
        self._make_image(architecture)

    def _make_image(self, architecture: str) -> None:
        stand_ins = self.root / "stand-ins"
        stand_ins.mkdir()
        for name, action in _ACTIONS.items():
            path = stand_ins / name
            path.write_text(_STAND_IN.format(name=name, action=action))
            path.chmod(0o755)
        (stand_ins / "architecture").write_text(architecture + "\n")
        (stand_ins / "checksum-status").write_text("0\n")
        (stand_ins / "miniconda.sh").write_text(_MINICONDA)
        (stand_ins / "calls").touch()
        stand_ins.chmod(0o755)
        self.run(
            "useradd --system --create-home --home-dir /var/lib/buildkite-agent buildkite-agent; "
            "mkdir -p /etc/buildkite-agent/hooks /etc/systemd/system /etc/sysctl.d /etc/sudoers.d; "
            "rm -rf /opt/miniconda3 /usr/local/bin/conda",
            check=True,
        )
        (self.root / HOOK[1:]).write_text("#!/bin/bash\nset -Eeuo pipefail\nsource ~/cfn-env\n")
        home = self.root / AGENT_HOME[1:]
        (home / "cfn-env").write_text("export FROM_CFN_ENV=yes\n")

    def _command(self, *command: str) -> list[str]:
        namespaces = ["--mount"] if os.geteuid() == 0 else ["--mount", "--user", "--preserve"]
        return [
            "nsenter",
            *namespaces,
            f"--target={self._holder.pid}",
            "chroot",
            str(self._inside),
            *command,
        ]

    def run(
        self, script: str, *, check: bool = False, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a script in it as root, as ``bash -c``."""
        return subprocess.run(
            self._command("/bin/bash", "-c", script),
            env={**ENVIRONMENT, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=check,
        )

    def start(self, script: str, **environment: str) -> subprocess.Popen[str]:
        """Begin to run a script as the stack does: with no HOME, as bash's standard input."""
        process = subprocess.Popen(
            self._command("/bin/bash"),
            env={**ENVIRONMENT, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert process.stdin is not None
        process.stdin.write(script)
        process.stdin.close()
        process.stdin = None
        return process

    def boot(self, script: str, **environment: str) -> tuple[int, str]:
        """Run a script as the stack does; return its status and all of its output."""
        process = self.start(script, **environment)
        output, _ = process.communicate(timeout=60)
        return process.returncode, output

    def fail(self, call: str) -> None:
        """Have each call that the pattern *call* matches fail from now on."""
        (self.root / "stand-ins/fail").write_text(call)

    def put_env(self, text: str) -> None:
        """Have the queue's env file in the bucket."""
        (self.root / "stand-ins/env").write_text(text)

    def calls(self) -> list[str]:
        """What the stand-ins were called with."""
        return (self.root / "stand-ins/calls").read_text().splitlines()

    def tree(self) -> dict[str, tuple[int, int, str]]:
        """Each file that was written, but for temporary ones: mode, owner and content."""
        upper = self.root.parent / "upper"
        written = {}
        for path in sorted(upper.rglob("*")):
            name = str(path.relative_to(upper))
            if path.is_symlink():
                written[name] = (0, 0, str(path.readlink()))
            elif path.is_file() and not name.startswith(("stand-ins", "tmp", "dev", "proc")):
                status = path.stat()
                written[name] = (status.st_mode, status.st_uid, path.read_text(errors="replace"))
        return written

    def uid(self) -> int:
        """The agent user's id, in the namespace."""
        return int(self.run("id -u buildkite-agent", check=True).stdout)

    def close(self) -> None:
        """Throw it away."""
        self._holder.kill()
        self._holder.wait()
        for pipe in (self._holder.stdout, self._holder.stderr):
            if pipe is not None:
                pipe.close()


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until *condition* holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
