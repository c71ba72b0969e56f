"""What the core and the statistics service both speak. Pure: no Django, no FastAPI, no settings."""
