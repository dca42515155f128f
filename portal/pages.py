"""The portal's own pages."""

from django.urls import path

from .views import domains, invitations, sign_in

app_name = "portal"
urlpatterns = [
    path("", domains.home, name="home"),
    path("healthz", domains.healthz, name="healthz"),
    path("readyz", domains.readyz, name="readyz"),
    path("domains/<str:domain>/", domains.overview, name="overview"),
    path("manage/domains/<str:domain>/", domains.settings_page, name="settings"),
    path("manage/domains/<str:domain>/sign-in/", sign_in.sign_in, name="sign_in"),
    path("manage/domains/<str:domain>/members/", domains.members, name="members"),
    path("manage/domains/<str:domain>/members/<int:pk>/", domains.member, name="member"),
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
    path("invitations/", invitations.invitation, name="invitation"),
    path("invitations/<str:token>/", invitations.invitation_link, name="invitation_link"),
    path("manage/domains/<str:domain>/integrations/", domains.integrations, name="integrations"),
]
