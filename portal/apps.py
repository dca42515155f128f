"""Configuration of the app: connects login receivers, task ids and the files that show which workers are busy."""

from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "portal"
    verbose_name = "People and domains"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from integrations.notices.connection_troubles import register_source

        from . import checks, reauth  # noqa: F401 - register checks, and when somebody last proved who they are
        from .accounts import session_limits  # noqa: F401 - registers when a session began
        from .operations import installation_troubles
        from .sso import login  # noqa: F401 - registers what a removed member leaves behind
        from .worker import task_trace, worker_files

        worker_files.connect_signals()
        task_trace.connect_signals()
        register_source(installation_troubles.list_troubles)
