"""The step between us and a server: set up the process, then become the server.

Run as a script with the standard library alone, instead of a preexec_fn: Python code between fork and
exec may hang in a program with threads, and this one has two.

    launch.py OWNER_PID DEATH_SIGNAL USER COMMAND [ARGUMENT ...]

Two things happen here, both of Linux. (Elsewhere neither does: a server outlives an owner killed by -9
until the next start finds it, and PostgreSQL does not run as root.)

The kernel sends DEATH_SIGNAL when the owner dies, however it dies.

If USER is not empty (we are root, and PostgreSQL refuses to be), the server runs as USER but keeps the
one capability to pass every folder and file. Otherwise a clone under /root, which only root may enter,
could hold neither the data nor the program; opening /root to the world is not ours to do.
"""

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG = 1
PR_SET_SECUREBITS = 28
PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 47, 2
# Capabilities stay through the change of user, and access(2) counts them afterwards.
SECBIT_NO_SETUID_FIXUP = 1 << 2
LINUX_CAPABILITY_VERSION_3 = 0x20080522
CAP_DAC_OVERRIDE = 1


def main(owner_pid: int, death_signal: int, user: str, command: list[str]) -> None:
    """Become `command`. Returns only by an exception."""
    if user:
        try:
            become(user)
        except OSError as error:
            raise OSError(f"root may not become {user} here ({error}), start as an ordinary user") from error
    if sys.platform == "linux":
        _prctl(PR_SET_PDEATHSIG, death_signal)  # after the change of user, which clears it
    if os.getppid() != owner_pid:  # it died before the kernel knew of our wish
        raise ProcessLookupError(f"the owner, process {owner_pid}, is gone")
    os.execv(command[0], command)


def become(user: str) -> None:
    """Change from root to `user`, keeping CAP_DAC_OVERRIDE, through exec and in every child."""
    if sys.platform != "linux":
        raise OSError("not on this system")
    entry = pwd.getpwnam(user)
    _prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)
    os.setgroups([])
    os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
    os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
    only = 1 << CAP_DAC_OVERRIDE
    header = (ctypes.c_uint32 * 2)(LINUX_CAPABILITY_VERSION_3, 0)
    effective_permitted_inheritable = (ctypes.c_uint32 * 6)(only, only, only, 0, 0, 0)
    _check(_libc.capset(header, effective_permitted_inheritable), "capset")
    _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE)


def _prctl(option: int, *arguments: int) -> None:
    padded = [*arguments, 0, 0, 0, 0][:4]
    _check(_libc.prctl(option, *map(ctypes.c_ulong, padded)), f"prctl({option})")


def _check(result: int, call: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{call}: {os.strerror(code)}")


_libc = ctypes.CDLL(None, use_errno=True)

if __name__ == "__main__":
    try:
        main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
    except (OSError, KeyError) as error:
        sys.exit(f"FATAL: {error}")
