"""Looks at the charm's process from outside: its own time, its memory, the hook commands it starts.

`dispatch` in the unit's copy of the charm is replaced by a wrapper that does one of three things, which the file `how`
beside it chooses:

- `calls`: runs the charm under strace, which stops it at process starts and ends only (a seccomp filter). The charm's own
  time is from its execve to its exit, less the time during which a hook command was there. What strace costs falls
  almost wholly into the latter. What the charm does beside a running hook command is not counted; the whole time has it.
- `memory`: lets bash wait for the charm and then becomes a Python that asks the kernel for the peak memory of the
  children. Hook commands count too, but need less than the charm.
- `plain`: runs the charm.
"""

import collections
import re

from local_stack import Failed, wait_for

WRAPPER = r"""#!/bin/bash
read -r how <measure/how
case $how in
calls)
    exec strace -f --seccomp-bpf -q -ttt -s 0 -e signal=none -e trace=execve,vfork,fork,clone,clone3 \
        -o measure/calls.new COMMAND ;;
memory)
    COMMAND
    exec /usr/bin/python3 -I -S -c "$(<measure/memory.py)" "$?" ;;
*) exec COMMAND ;;
esac
"""

MEMORY = """
import resource, sys
with open("measure/memory.new", "w") as file:
    file.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(int(sys.argv[1]))
"""

LINE = re.compile(r"(\d+) +(\d+\.\d+) (.*)")

Dispatch = collections.namedtuple("Dispatch", "own_seconds whole_seconds commands")


class MeasuredCharm:
    """The charm of a unit behind the wrapper; `command` starts it, and `program` is what then runs."""

    def __init__(self, model, unit="synapse/0", command="./bin/synapse-charm", program="synapse-charm"):
        self.model, self.unit, self.program = model, unit, program
        charm = model.paths(unit)["charm"]
        self.folder = charm / "measure"
        self.folder.mkdir(exist_ok=True)
        (self.folder / "memory.py").write_text(MEMORY)
        self.measure("plain")
        fresh = charm / "dispatch.new"
        fresh.write_text(WRAPPER.replace("COMMAND", command))
        fresh.chmod(0o755)
        fresh.rename(charm / "dispatch")

    def measure(self, how):
        for name in ("calls.new", "memory.new"):
            (self.folder / name).unlink(missing_ok=True)
        (self.folder / "how").write_text(how + "\n")

    def update_status(self):
        """Runs an update-status hook to its end, unmeasured."""
        before = self.runs()
        self.model.juju("fire", self.unit, "update-status")
        wait_for("update-status", 60, lambda: self.runs() > before)

    def runs(self):
        log = self.model.juju("debug-log", "--replay", "--no-tail", read=True)
        return log.count('ran "update-status" hook')

    def calls(self):
        """One update-status: a `Dispatch`."""
        self.measure("calls")
        self.update_status()
        found = parse((self.folder / "calls.new").read_text(), self.program)
        self.measure("plain")
        return found

    def memory(self, work=None):
        """Peak memory in bytes of one update-status, or of the one run that `work` asks for."""
        self.measure("memory")
        (work or self.update_status)()
        found = int((self.folder / "memory.new").read_text()) * 1024
        self.measure("plain")
        return found


START = re.compile(r"(?:vfork|fork|clone3?)\(")
STARTED = re.compile(r"(?:<\.\.\. )?(?:vfork|fork|clone3?)\b.* = (\d+)$")
EXECVE = re.compile(r'execve\("([^"]+)"')
EXECVE_DONE = re.compile(r"(?:<\.\.\. )?execve\b.* = 0$")


def parse(trace, program):
    """Reads what strace wrote of one dispatch."""
    charm = None
    asked, born, wanted, programs, began, gone = {}, {}, {}, {}, {}, {}
    for line in trace.splitlines():
        found = LINE.match(line)
        if not found:
            continue
        pid, at, event = found[1], float(found[2]), found[3]
        if START.match(event):
            asked[pid] = at
        if child := STARTED.match(event):
            born[child[1]] = asked[pid]
        if execve := EXECVE.match(event):
            wanted[pid] = execve[1].rsplit("/", 1)[1]
            began.setdefault(pid, at)
        if EXECVE_DONE.match(event):
            programs[pid] = wanted[pid]
            charm = charm or pid
        if event.startswith("+++"):
            gone[pid] = at
    if charm is None or programs.pop(charm) != program or charm not in gone:
        raise Failed("strace did not see the charm run")
    with_commands, until = 0.0, began[charm]
    for start, end in sorted((born.get(pid, began[pid]), gone[pid]) for pid in programs):
        with_commands += max(0.0, end - max(until, start))
        until = max(until, end)
    whole = gone[charm] - began[charm]
    return Dispatch(whole - with_commands, whole, collections.Counter(programs.values()))
