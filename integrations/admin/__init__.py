"""Django admin: connections and what came through them, and the ledger."""

from integrations.admin import connections, ledger

__all__ = ["connections", "ledger"]
