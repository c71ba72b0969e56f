"""The embedded stack: every real part and every process of Innotter on a bare machine."""
