"""URLs of single sign-on: its start, and where the identity provider sends people back to."""

from django.urls import include, path

from . import views

urlpatterns = [
    path("sso/", views.start, name="sso_start"),
    path("sso/<str:domain>/login/", views.go, name="sso_login"),
    path("sso/<str:domain>/login/callback/", views.callback, name="sso_callback"),
    path("sso/<str:domain>/switch/", views.switch, name="sso_switch"),
    path("", include("portal.sso.saml.urls")),
]
