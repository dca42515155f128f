"""URLs of SAML: our metadata, where an answer is posted, and where the session uses it."""

from django.urls import path

from . import views

urlpatterns = [
    path("sso/<str:domain>/saml/", views.metadata, name="saml_metadata"),
    path("sso/<str:domain>/saml/acs/", views.take, name="saml_acs"),
    path("sso/<str:domain>/saml/finish/", views.finish, name="saml_finish"),
]
