"""The admin panel as a whole; what is in it stands in the apps."""

from django.contrib import admin
from django.contrib.auth.models import Group

from innotter.common.problems import not_found

admin.site.site_title = admin.site.site_header = "Innotter"
admin.site.index_title = "Admin panel"
admin.site.index_template = "config/admin_index.html"
# There is no site to view; and the lists need the room.
admin.site.site_url = None
admin.site.enable_nav_sidebar = False
# Roles are ours.
admin.site.unregister(Group)
# So is the change of a password, which ends the user's sessions.
admin.site.password_change = not_found  # type: ignore[method-assign,assignment]
admin.site.password_change_done = not_found  # type: ignore[method-assign,assignment]
