"""The portal's own pages."""

from django.urls import path

from . import sign_in_pages, views

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
    path("manage/domains/<str:domain>/integrations/", views.integrations, name="integrations"),
]
