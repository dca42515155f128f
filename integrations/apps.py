"""Configuration of the app: registers its provider and its system checks."""

from django.apps import AppConfig


class IntegrationsConfig(AppConfig):
    name = "integrations"
    verbose_name = "Outreach"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks, receivers  # noqa: F401 - registers them
        from .catalogue import register
        from .outreach.factory import PROVIDER

        register(PROVIDER)
