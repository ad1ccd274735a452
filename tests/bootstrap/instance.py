"""A throw-away instance: a root folder in memory, in a mount namespace of its own.

It has this machine's programs (``/usr``, which is never written to), a copy of its ``/etc``, and
folders of its own for the rest. It goes with the namespace. In the place of what would reach out
(dnf, aws, curl, systemctl, ...) there are stand-ins that record their calls.

An ordinary user can have one too, where the kernel lets him have a user namespace.
"""

import contextlib
import hashlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

AGENT_HOME = "/var/lib/buildkite-agent"
HOOK = "/etc/buildkite-agent/hooks/environment"
CONFIGURATION = "/etc/buildkite-agent/buildkite-agent.cfg"
TOKEN = "planted-agent-token"  # noqa: S105
ENVIRONMENT = {
    "PATH": "/stand-ins:/usr/sbin:/usr/bin:/sbin:/bin",
    "BUILDKITE_STACK_NAME": "conbench-prod-buildkite-q",
    "BUILDKITE_QUEUE": "arm64-t4g-2xlarge-linux",
    "BUILDKITE_SECRETS_BUCKET": "conbench-prod-buildkite-secrets",
    "BUILDKITE_SECRETS_BUCKET_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
    # The script waits in no time: its clock is bash's SECONDS.
    "BASH_FUNC_sleep%%": """() {
        printf 'sleep %s\\n' "$1" >>/stand-ins/calls
        SECONDS=$((SECONDS + $1)); }""",
}

# Each records its call, reads all of its standard input as a rude child would, and fails on demand.
_STAND_IN = """#!/bin/bash
cat >/dev/null
printf '%s\\n' "{name} $*" >>/stand-ins/calls
if [[ -e /stand-ins/fail && "{name} $*" == $(</stand-ins/fail) ]]; then exit 7; fi
{action}
"""
_ACTIONS = {
    "dnf": """if [[ -e /stand-ins/hangs ]]; then
    rm /stand-ins/hangs; trap '' TERM; while :; do /bin/sleep 1; done; fi
if [[ -e /stand-ins/locked-for ]]; then
    awk -v "end=$(</stand-ins/locked-for)" '/^sleep / { waited += $2 } END { exit waited < end }' \
        /stand-ins/calls || exit 1; fi
for p in "$@"; do
    [[ $p == -* || $p == install || -e /stand-ins/no-$p ]] || touch "/stand-ins/rpm-$p"; done""",
    "python3": """[[ $* == *--requirement* && -s ${!#} ]] || exit 0
while (($# > 1)); do
    if [[ $1 == --target ]]; then
        mkdir -p "$2/cmake/data/bin"
        for program in cmake cpack ctest; do
            printf '#!/bin/sh\\necho cmake version %s\\n' "$(</stand-ins/cmake-version)" \
                >"$2/cmake/data/bin/$program"
            chmod +x "$2/cmake/data/bin/$program"
        done
    fi; shift; done""",
    "rpm": """for p in "$@"; do [[ $p == -* || -e /stand-ins/rpm-$p ]] || {
    echo "package $p is not installed"; missing=1; }; done; exit "${missing:-0}" """,
    "curl": """[[ ${!#} == */kubectl ]] && file=kubectl || file=miniconda.sh
while (($# > 1)); do
    if [[ $1 == --output ]]; then cp "/stand-ins/$file" "$2"
        if [[ -e /stand-ins/truncated ]]; then rm /stand-ins/truncated; truncate --size=-9 "$2"; fi
    fi; shift; done""",
    "aws": """case "$*" in
    *list-objects-v2*) if [[ -e /stand-ins/env ]]; then echo 1; else echo 0; fi ;;
    *'s3 cp'*) : >"${!#}"; while read -r line || [[ $line ]]; do
        printf '%s\\n' "$line" >>"${!#}"; /bin/sleep 0.05; done </stand-ins/env ;;
esac""",
    "systemctl": "",
    "sysctl": """case "$*" in
    *tcp_rmem) printf '4096\\t131072\\t33554432\\n' ;;
    --values*) echo 212992 ;;
esac""",
    "usermod": "",
    "docker": 'printf "%s\\n" "docker $* by $(id --user --name)" >>/stand-ins/calls',
    "visudo": "",
    "uname": "cat /stand-ins/architecture",
}
_MINICONDA = """#!/bin/bash
[[ $1 == -b && $2 == -p ]] || exit 9
mkdir -p "$3/bin" "$3/etc/profile.d"
cat >"$3/bin/conda" <<'CONDA'
#!/bin/sh
here=$(dirname "$(dirname "$(readlink -f "$0")")")
case "$1 $2" in
'--version ') echo conda 26.7.1 ;;
'shell.bash hook') echo "conda() { if [ \\"\\$1\\" = activate ]; then \
PATH=$here/envs/\\$2/bin:\\$PATH; else $here/bin/conda \\"\\$@\\"; fi; }" ;;
'create '*)
    for name in "$@"; do [ "$previous" = --name ] && mkdir -p "$here/envs/$name/bin" && break
        previous=$name; done
    printf '#!/bin/sh\\necho %s\\n' "$name" >"$here/envs/$name/bin/which-environment"
    chmod +x "$here/envs/$name/bin/which-environment"
    cat "$here/.condarc" >"$here/envs/$name/channels" ;;
esac
CONDA
chmod +x "$3/bin/conda"
touch "$3/etc/profile.d/conda.sh"
"""

# As in https://github.com/buildkite/elastic-ci-stack-for-aws/tree/v6.71.1/packer/linux/stack.
_CFN_ENV = """function set_always() {
    echo "export $1=\\"$2\\""
    declare -gx "$1=$2"
}
set_always "BUILDKITE_SECRETS_BUCKET" "conbench-prod-buildkite-secrets"
set_always "BUILDKITE_SECRETS_BUCKET_REGION" "us-east-1"
set_always "FROM_CFN_ENV" "yes"
"""
_HOOK = """#!/usr/bin/env bash
set -Eeuo pipefail
handle_err() {
  echo ":alert: Elastic CI Stack environment hook failed" >&2
  exit 53
}
trap handle_err ERR
source ~/cfn-env
"""
_STOP = '#!/bin/bash\nset -eu -o pipefail\neval "$(cat /var/lib/buildkite-agent/cfn-env)"\n'
_PLUGIN = "usr/local/buildkite-aws-stack/plugins/secrets/hooks/environment"


class NamespacesRefusedError(Exception):
    """The machine does not let us have a mount namespace with an overlay."""


_NEEDED = ("unshare", "nsenter", "useradd")
_SETUP = """
set -e
cd {folder}
mount -t tmpfs none .
cd "$PWD"
mkdir root
cd root
mkdir -p usr etc home opt root run tmp dev proc var/lib var/log var/tmp
mount --rbind /usr usr
mount -t tmpfs none usr/local
mkdir usr/local/bin usr/local/sbin usr/local/lib
for name in bin sbin lib lib32 lib64; do
  if [ -L /$name ]; then
    cp -P /$name .
  elif [ -d /$name ]; then
    mkdir $name
    mount --rbind /$name $name
  fi
done
# What nobody but root may read is left out.
cp -r --no-preserve=ownership /etc/. etc 2>/dev/null || true
printf 'root:*:1:::::::\\n' >etc/shadow
printf 'root:*::\\n' >etc/gshadow
mount --rbind /dev dev
mount --rbind /proc proc
mount -t tmpfs none tmp
echo ready
exec sleep 600
"""


def _which(name: str) -> str | None:
    # An ordinary user's PATH does not have what is for administrators.
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


def _hold_namespace(folder: Path) -> tuple[subprocess.Popen[bytes], bool]:
    """A process that holds a namespace with a root in it, and whether it has users of its own."""
    user_namespaces = [False, True] if os.geteuid() == 0 else [True]
    for user_namespace in user_namespaces:
        options = ["--map-root-user", "--map-auto"] if user_namespace else []
        holder, refusal = _try_to_hold(folder, options)
        if not refusal:
            return holder, user_namespace
    raise NamespacesRefusedError(
        f"{refusal} (an ordinary user needs user namespaces and newuidmap, which Debian's "
        "package uidmap has)"
    )


def _try_to_hold(folder: Path, options: list[str]) -> tuple[subprocess.Popen[bytes], str]:
    log = folder / "log"
    setup = _SETUP.format(folder=shlex.quote(str(folder / "mount")))
    command = [str(_which("unshare")), "--mount", "--propagation", "private", *options]
    with log.open("w") as output:
        holder = subprocess.Popen(
            [*command, "bash", "-c", setup], stdout=output, stderr=output, start_new_session=True
        )
    # Not by a pipe: where unshare is refused, a child that it leaves behind keeps that open.
    wait_for(lambda: holder.poll() is not None or log.read_text().endswith("ready\n"))
    if holder.poll() is None:
        return holder, ""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(holder.pid, signal.SIGKILL)
    return holder, log.read_text().strip().replace("\n", "; ") or "unshare failed"


class Instance:
    """An instance as the Elastic CI Stack has it when the bootstrap script comes."""

    def __init__(self, folder: Path, *, architecture: str = "x86_64") -> None:
        """Make it, with *folder* for a mount point.

        Raises:
            NamespacesRefusedError: there are no mount namespaces here, or not what they need.
        """
        missing = [name for name in _NEEDED if _which(name) is None]
        if missing:
            raise NamespacesRefusedError(f"there is no {', '.join(missing)}")
        (folder / "mount").mkdir()
        self._holder, self._has_user_namespace = _hold_namespace(folder)
        # As the namespace's processes see it, and we through /proc.
        self.root = Path(f"/proc/{self._holder.pid}/root{folder}/mount/root")
        self._inside = folder / "mount" / "root"
        self._make_image(architecture)

    def _make_image(self, architecture: str) -> None:
        stand_ins = self.root / "stand-ins"
        stand_ins.mkdir()
        for name, action in _ACTIONS.items():
            path = stand_ins / name
            path.write_text(_STAND_IN.format(name=name, action=action))
            path.chmod(0o755)
        (stand_ins / "cmake-version").write_text("3.31.10\n")
        (stand_ins / "architecture").write_text(architecture + "\n")
        (stand_ins / "miniconda.sh").write_text(_MINICONDA)
        (stand_ins / "kubectl").write_text("#!/bin/sh\necho Client Version: v1\n")
        (stand_ins / "calls").touch()
        (stand_ins / "calls").chmod(0o666)
        stand_ins.chmod(0o755)
        self.run(
            "useradd --system --create-home --home-dir /var/lib/buildkite-agent buildkite-agent; "
            "groupadd --system docker; "
            "mkdir -p /etc/buildkite-agent/hooks /etc/systemd/system /etc/sysctl.d /etc/sudoers.d",
            check=True,
        )
        (self.root / HOOK[1:]).write_text(_HOOK)
        (self.root / AGENT_HOME[1:] / "cfn-env").write_text(_CFN_ENV)
        (self.root / CONFIGURATION[1:]).write_text(f'token="{TOKEN}"\nspawn=1\n')
        (self.root / "usr/local/bin/stop-agent-gracefully").write_text(_STOP)
        (self.root / _PLUGIN).parent.mkdir(parents=True)
        (self.root / _PLUGIN).touch()
        self.run(
            "chown -R buildkite-agent: /etc/buildkite-agent/hooks /usr/local/buildkite-aws-stack; "
            f"chown buildkite-agent: {CONFIGURATION}",
            check=True,
        )

    def _command(self, *command: str) -> list[str]:
        user = ["--user", "--preserve-credentials"] if self._has_user_namespace else []
        return [
            str(_which("nsenter")),
            "--mount",
            *user,
            f"--target={self._holder.pid}",
            "chroot",
            str(self._inside),
            *command,
        ]

    def run(
        self, script: str, *, arguments: Sequence[str] = (), check: bool = False, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a script in it as root, as ``bash -c``."""
        return subprocess.run(
            self._command("/bin/bash", "-c", script, "bash", *arguments),
            env={**ENVIRONMENT, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=check,
            cwd="/",
        )

    def watch(self, script: str) -> subprocess.Popen[str]:
        """Begin to run a script in it as root, whose output is read later."""
        return subprocess.Popen(
            self._command("/bin/bash", "-c", script),
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
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
        process.stdin.write(self._with_checksums_of_stand_ins(script))
        process.stdin.close()
        process.stdin = None
        return process

    def _with_checksums_of_stand_ins(self, script: str) -> str:
        for name, file in (("CONDA", "miniconda.sh"), ("KUBECTL", "kubectl")):
            digest = hashlib.sha256((self.root / "stand-ins" / file).read_bytes()).hexdigest()
            script = re.sub(rf"(?m)^({name}_SHA256_\w+)=[0-9a-f]{{64}}$", rf"\1={digest}", script)
        return script

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

    def read(self, path: str) -> str:
        """The content of a file, whoever may read it."""
        return self.run(f"cat {path}", check=True).stdout

    def tree(self) -> str:
        """Each file and link, but for temporary ones: mode, owner and content, a line each."""
        found = "find etc home opt root usr/local var"
        return self.run(
            f"{found} -type f -printf '%p %m %U ' -exec /usr/bin/sha256sum {{}} \\; | sort; "
            f"{found} -type l -printf '%p %l\\n' | sort",
            check=True,
        ).stdout

    def uid(self) -> int:
        """The agent user's id, in the namespace."""
        return int(self.run("id -u buildkite-agent", check=True).stdout)

    def close(self) -> None:
        """Throw it away, with what still runs in it."""
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (process / "root").samefile(self.root):
                    os.kill(int(process.name), signal.SIGKILL)
        self._holder.kill()
        self._holder.wait()


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until *condition* holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
