"""`make cluster`: Innotter on several hosts that are lost in turn, under a steady load.

The hosts are network namespaces of this machine. All of it (namespaces, mounts, processes) lives in
namespaces of one process, so that the kernel ends everything with it, however it ends.
"""
