"""The embedded stack: every backing service and every process of Innotter on a bare machine."""
