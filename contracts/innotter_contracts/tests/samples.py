from pathlib import Path

SAMPLES = sorted((Path(__file__).parents[1] / "samples").glob("*.json"))
