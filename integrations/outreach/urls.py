"""Addresses that allauth needs: the first only points to the consent page, the second is the callback."""

from allauth.socialaccount.providers.oauth2.urls import default_urlpatterns

from .provider import OutreachProvider

urlpatterns = default_urlpatterns(OutreachProvider)
