"""URLs: the portal's own pages, and where each app is mounted."""

from django.contrib import admin
from django.urls import include, path

from .views import domains, health, invitations, members, metrics, self_service, sign_in, status

pages = [
    path("", domains.home, name="home"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("readyz/web", health.readyz_web, name="readyz_web"),
    path("readyz/worker", health.readyz_worker, name="readyz_worker"),
    path("metrics", metrics.metrics, name="metrics"),
    path("manage/status/", status.status, name="status"),
    path("manage/status.json", status.status_json, name="status_json"),
    path("manage/status/requeue/", status.status_requeue, name="status_requeue"),
    path("manage/status/forget/", status.status_forget, name="status_forget"),
    path("manage/status/test-notice/", status.status_test_notice, name="status_test_notice"),
    path("domains/<str:domain>/", domains.overview, name="overview"),
    path("manage/domains/<str:domain>/", domains.settings_page, name="settings"),
    path("manage/domains/<str:domain>/sign-in/", sign_in.sign_in, name="sign_in"),
    path("manage/domains/<str:domain>/sign-in/oidc/", sign_in.oidc, name="sign_in_oidc"),
    path("manage/domains/<str:domain>/sign-in/saml/", sign_in.saml, name="sign_in_saml"),
    path("manage/domains/<str:domain>/sign-in/remove/", sign_in.remove, name="sign_in_remove"),
    path("manage/domains/<str:domain>/members/", members.members, name="members"),
    path("manage/domains/<str:domain>/members/<int:pk>/", members.member, name="member"),
    path(
        "manage/domains/<str:domain>/invitations/<int:pk>/resend/",
        invitations.invitation_resend,
        name="invitation_resend",
    ),
    path(
        "manage/domains/<str:domain>/invitations/<int:pk>/withdraw/",
        invitations.invitation_withdraw,
        name="invitation_withdraw",
    ),
    path("manage/domains/<str:domain>/self-service/", self_service.self_service, name="self_service"),
    path(
        "manage/domains/<str:domain>/self-service/act/",
        self_service.self_service_act,
        name="self_service_act",
    ),
    path("invitations/", invitations.invitation, name="invitation"),
    path("invitations/<str:token>/", invitations.invitation_link, name="invitation_link"),
    path("manage/domains/<str:domain>/integrations/", domains.integrations, name="integrations"),
]

urlpatterns = [
    path("", include((pages, "portal"))),
    path("", include("integrations.urls")),
    path("", include("signatures.urls")),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
]

handler400 = "portal.views.errors.bad_request"
handler403 = "portal.views.errors.permission_denied"
handler404 = "portal.views.errors.page_not_found"
handler500 = "portal.views.errors.server_error"
