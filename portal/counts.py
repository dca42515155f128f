"""How many rows there are: what is compared after a backup was restored."""

from __future__ import annotations

from django.apps import apps


def count_rows() -> dict[str, int]:
    """Return the number of rows of each table that has a model, by the table's name.

    Queue entries and sessions come and go by the second; they are what one may lose.
    """
    fleeting = {"django_q_ormq", "django_q_task", "django_session"}
    models = [model for model in apps.get_models(include_auto_created=True) if not model._meta.proxy]
    return {
        model._meta.db_table: model._base_manager.count()
        for model in sorted(models, key=lambda model: model._meta.db_table)
        if model._meta.managed and model._meta.db_table not in fleeting
    }


def list_differences(earlier: dict[str, int], now: dict[str, int]) -> list[str]:
    """Return a sentence for each table whose count is not what it was."""
    return [
        f"{table}: {earlier.get(table, 'none')} then, {now.get(table, 'none')} now"
        for table in sorted(earlier | now)
        if earlier.get(table) != now.get(table)
    ]
