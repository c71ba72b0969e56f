"""How gunicorn serves the core. Address and number of processes come from the command line."""

import select

from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]


class Worker(ThreadWorker):  # type: ignore[misc]
    """Answers whom the kernel has let in already, and shuts the door at once, when it is to stop.

    Gunicorn's own would leave them waiting at a door that stays open until the last request is
    done, and hang up on them then. Whom nobody lets in tries again.
    """

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        if self.alive:
            return
        for listener in self.sockets:
            while listener.fileno() != -1 and select.select([listener], [], [], 0)[0]:
                self.accept(listener)
            listener.close()


worker_class = Worker
# A worker that answers nothing for this long is killed and replaced.
timeout = 30
# What a request may still take after SIGTERM.
graceful_timeout = 25
keepalive = 75
# One line a request comes from innotter.common.middleware, with the request id.
accesslog = None
loglevel = "warning"
# Shared memory for heartbeats: /tmp may be a disk.
worker_tmp_dir = "/dev/shm"
