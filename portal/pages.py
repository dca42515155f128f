"""The portal's own pages."""

from django.urls import path

from . import invitation_pages, sign_in_pages, views

app_name = "portal"
urlpatterns = [
    path("", views.home, name="home"),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("domains/<str:domain>/", views.overview, name="overview"),
    path("manage/domains/<str:domain>/", views.settings_page, name="settings"),
    path("manage/domains/<str:domain>/sign-in/", sign_in_pages.sign_in, name="sign_in"),
    path("manage/domains/<str:domain>/members/", views.members, name="members"),
    path("manage/domains/<str:domain>/members/<int:pk>/", views.member, name="member"),
    path(
        "manage/domains/<str:domain>/invitations/<int:pk>/resend/",
        invitation_pages.invitation_resend,
        name="invitation_resend",
    ),
    path(
        "manage/domains/<str:domain>/invitations/<int:pk>/withdraw/",
        invitation_pages.invitation_withdraw,
        name="invitation_withdraw",
    ),
    path("invitations/", invitation_pages.invitation, name="invitation"),
    path("invitations/<str:token>/", invitation_pages.invitation_link, name="invitation_link"),
    path("manage/domains/<str:domain>/integrations/", views.integrations, name="integrations"),
]
