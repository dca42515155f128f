"""Rows of the work: templates, groups, senders, and what was delivered."""

from .analytics import BannerEvent, Counted, CountingState, DailyCount, DailyTotal, EventKind, SpoolImport
from .audience import AttributeLabel, AudienceTally, RecipientList, RecipientListEntry
from .campaign import Banner, BannerImage, BannerPlace, Campaign, CampaignRevision
from .decision import Decision, DecisionKey
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
from .mailgateway import MailReceipt
from .recipient import KnownRecipient, LookupShare, RecipientPrivacy, VariableTest
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
    "CampaignRevision",
    "Counted",
    "CountingState",
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
    "RecipientPrivacy",
    "Sender",
    "Snapshot",
    "SpoolImport",
    "Template",
    "TemplateVersion",
    "VariableTest",
]
