"""Signatures as a Django app: connects its receivers and answers what integrations asks."""

from django.apps import AppConfig


class SignaturesConfig(AppConfig):
    name = "signatures"
    verbose_name = "Signatures"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from integrations import signature_service

        from . import receivers  # noqa: F401 - connects them
        from .delivery import restore_report

        signature_service.register(restore_report)
