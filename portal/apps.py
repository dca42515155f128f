"""The house as a Django app."""

from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "portal"
    verbose_name = "People and domains"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks, reauth  # noqa: F401 - register the checks, and what a login leaves in the session
        from .beats import connect_beats

        connect_beats()
