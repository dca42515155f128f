"""Rows of the work: templates, groups, senders, and what was delivered."""

from .delivery import (
    UNFINISHED_DELIVERY,
    Delivery,
    DeliveryRun,
    DeliveryRunState,
    DeliveryState,
    Following,
    Placement,
    Snapshot,
)
from .sender import Assignment, Brand, Group, Sender
from .template import Template, TemplateVersion

__all__ = [
    "UNFINISHED_DELIVERY",
    "Assignment",
    "Brand",
    "Delivery",
    "DeliveryRun",
    "DeliveryRunState",
    "DeliveryState",
    "Following",
    "Group",
    "Placement",
    "Sender",
    "Snapshot",
    "Template",
    "TemplateVersion",
]
