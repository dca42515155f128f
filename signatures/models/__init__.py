"""Rows of the work: templates, groups, senders, and what was delivered."""

from .campaign import (
    AttributeLabel,
    AudienceTally,
    Banner,
    BannerEvent,
    BannerImage,
    BannerPlace,
    Campaign,
    Counted,
    DailyCount,
    DailyTotal,
    Decision,
    DecisionKey,
    EventKind,
    RecipientList,
    RecipientListEntry,
    SpoolImport,
)
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
from .edition import CampaignEdition
from .mailgateway import MailReceipt
from .recipient import KnownRecipient, LookupShare, VariableTest
from .sender import Assignment, Brand, Group, Sender
from .template import Template, TemplateVersion

__all__ = [
    "UNFINISHED_DELIVERY",
    "Assignment",
    "AttributeLabel",
    "AudienceTally",
    "Banner",
    "BannerEvent",
    "BannerImage",
    "BannerPlace",
    "Brand",
    "Campaign",
    "CampaignEdition",
    "Counted",
    "DailyCount",
    "DailyTotal",
    "Decision",
    "DecisionKey",
    "Delivery",
    "DeliveryRun",
    "DeliveryRunState",
    "DeliveryState",
    "EventKind",
    "Following",
    "Group",
    "KnownRecipient",
    "LookupShare",
    "MailReceipt",
    "Placement",
    "RecipientList",
    "RecipientListEntry",
    "Sender",
    "Snapshot",
    "SpoolImport",
    "Template",
    "TemplateVersion",
    "VariableTest",
]
