"""
What each process of a launcher does, as Python and the system see it, for tests: in front of PYTHONPATH.

`WATCHED` is a folder, in which process N notes in `N.txt` each file that it opens to write, makes, renames or removes,
and each connection that it opens; all but the main one are refused to write a file of more than four bytes (with as
many Python looks for a place for temporary files, and deletes them), whatever library would.

`KILLED` is `RANK:FUNCTION`: that process kills itself once it has been in that function for a while, and makes the
file `KILLED_AT`.
"""

import os
import resource
import signal
import sys
import threading
import time

RANK = os.environ.get("RANK", "")
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "sqlite3.connect"}
WRITES = os.O_WRONLY | os.O_RDWR


def watch(folder: str) -> None:
    notes = os.open(os.path.join(folder, f"{RANK}.txt"), os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def note(event: str, arguments: tuple) -> None:
        opens = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES
        if opens or event in CHANGES or event == "socket.connect":
            limit = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, limit[1]))
            os.write(notes, f"{event} {arguments[-1] if event == 'socket.connect' else arguments[0]}\n".encode())
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)

    sys.addaudithook(note)


def kill_in(function: str) -> None:
    main = threading.main_thread().ident
    seen = 0
    while seen < 3:
        time.sleep(0.002)
        frame = sys._current_frames().get(main)
        while frame is not None and frame.f_code.co_name != function:
            frame = frame.f_back
        seen = seen + 1 if frame is not None else 0
    open(os.environ["KILLED_AT"], "w").close()
    os.kill(os.getpid(), signal.SIGKILL)


if RANK and (folder := os.environ.get("WATCHED")):
    watch(folder)
    if RANK != "0":
        resource.setrlimit(resource.RLIMIT_FSIZE, (4, resource.RLIM_INFINITY))
if RANK and os.environ.get("KILLED", "").startswith(f"{RANK}:"):
    threading.Thread(target=kill_in, args=[os.environ["KILLED"].partition(":")[2]], daemon=True).start()
