"""Where each app is mounted."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("portal.pages")),
    path("", include("integrations.urls")),
    path("", include("signatures.urls")),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
]

handler400 = "portal.views.domains.bad_request"
handler403 = "portal.views.domains.permission_denied"
handler404 = "portal.views.domains.page_not_found"
handler500 = "portal.views.domains.server_error"
