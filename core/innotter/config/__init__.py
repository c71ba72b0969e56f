import os

# Before anything of the project, which reads them when it is imported.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "innotter.config.settings")
