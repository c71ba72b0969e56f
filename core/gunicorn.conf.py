"""How gunicorn serves the core. Address and number of processes come from the command line."""

worker_class = "gthread"
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
