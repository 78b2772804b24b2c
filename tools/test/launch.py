"""Becomes a program in a session of its own: launch.py LINK USER PROGRAM [ARGUMENT…]

Before the program begins, LINK points to the process's id, which is its session's, too; where there is no folder for
LINK, nothing begins. USER is whom to become, or `-` to stay who we are. Signals that a shell ignores for what it
starts in the background work as usual again.
"""

import os
import pwd
import signal
import sys

link, user, *command = sys.argv[1:]
os.setsid()
for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
    signal.signal(number, signal.SIG_DFL)
# Made in one step: there is no moment at which it exists without the id.
try:
    os.symlink(str(os.getpid()), link)
except OSError as error:
    sys.exit(f"{link}: {error.strerror}")
if user != "-":
    entry = pwd.getpwnam(user)
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    os.chdir("/")
try:
    os.execvp(command[0], command)
except OSError as error:
    print(f"{command[0]}: {error.strerror}", file=sys.stderr)
    sys.exit(127)
