"""Commands on the lab's host."""
import os
import subprocess

from daemon import HOST_NETNS, INSTANCE, expect


def on_host(command: str, netns: str = HOST_NETNS) -> str:
    """The shell's, with the programs that the lab's host has in place of the machine's."""
    path = f"/run/netlab-lab/{INSTANCE}/programs:{os.environ['PATH']}"
    done = subprocess.run(["nsenter", f"--net={netns}", "sh", "-c", command], capture_output=True, text=True, env={**os.environ, "PATH": path})
    expect(done.returncode == 0, f"{command}: {done.stdout}{done.stderr}")
    return done.stdout
