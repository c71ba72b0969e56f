"""What the worst picture of each kind costs the program that makes avatars of it.

    .venv/bin/python bench/pictures.py

Each has 40 megapixels, the most that we take. Making them takes longer than all the rest.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

PROGRAM = Path(__file__).parents[1] / "core/innotter/media/avatars.py"
SIZE = (8_000, 5_000)
# Runs the program, and says what the kernel has counted since it began.
MEASURED = """
import re, runpy, sys, time
from pathlib import Path
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())
print(peak[1], time.process_time(), file=sys.stderr)
"""


def main() -> None:
    print(f"{'':32} {'sent':>8} {'memory':>8} {'work':>8}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "picture")
        for name, picture, kind, options in pictures():
            picture.save(file, kind, **options)
            memory, work = cost(file, kind)
            sent = file.stat().st_size / 2**20
            print(f"{name:32} {sent:5.1f} MB {memory:5.0f} MB {work:6.2f} s", flush=True)


def pictures() -> Iterator[tuple[str, Image.Image, str, dict[str, object]]]:
    grey = Image.linear_gradient("L").resize(SIZE)
    turned = grey.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    colours = Image.merge("RGB", (grey, turned, grey.transpose(Image.Transpose.FLIP_TOP_BOTTOM)))
    seen_through = colours.copy()
    seen_through.putalpha(turned)
    yield "JPEG", colours, "JPEG", {}
    progressive: dict[str, object] = {"progressive": True, "subsampling": 0}
    yield "JPEG, progressive", colours, "JPEG", progressive
    yield "JPEG, progressive, CMYK", colours.convert("CMYK"), "JPEG", progressive
    yield "GIF", grey, "GIF", {}
    yield "PNG, palette", colours.quantize(64), "PNG", {}
    yield "PNG, 16 bits of grey", Image.new("I;16", SIZE, 30_000), "PNG", {}
    yield "PNG, transparent", seen_through, "PNG", {}
    yield "WebP", colours, "WEBP", {"quality": 1, "method": 0}
    yield "WebP, lossless, transparent", seen_through, "WEBP", {"lossless": True, "method": 0}


def cost(file: Path, kind: str) -> tuple[float, float]:
    """MB at the peak, and seconds of a processor."""
    with file.open("rb") as picture:
        words = [sys.executable, "-I", "-c", MEASURED, str(PROGRAM), kind]
        done = subprocess.run(words, stdin=picture, capture_output=True, check=True)  # noqa: S603
    assert b"sizes" in done.stdout, done.stdout
    kilobytes, seconds = done.stderr.split()
    return int(kilobytes) / 1024, float(seconds)


if __name__ == "__main__":
    main()
