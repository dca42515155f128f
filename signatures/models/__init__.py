"""Models: templates, groups, senders, campaigns, deliveries and releases."""

from .analytics import BannerEvent, Counted, CountingState, DailyCount, DailyTotal, EventKind, SpoolImport
from .audience import AttributeLabel, AudienceTally, RecipientList, RecipientListEntry, SeenValue
from .campaign import Banner, BannerImage, BannerPlace, Campaign, CampaignRevision
from .dates import DateState
from .decision import Decision, DecisionKey
from .delivery import (
    AUTOMATIC,
    UNFINISHED_DELIVERY,
    Delivery,
    DeliveryRun,
    DeliveryRunState,
    DeliveryState,
    Following,
    Placement,
    Snapshot,
)
from .delivery_settings import DeliverySettings
from .field import EditedBy, FieldSetting
from .mailbox import (
    HAND_EDITS,
    IN_PLACE,
    LeftAlone,
    LeftAloneWhy,
    MailboxDay,
    MailboxState,
    MailboxStatus,
    TeamsCount,
)
from .mailgateway import MailReceipt
from .media import MediaFile, MediaImage, MediaKind, MediaLibrary
from .recipient import KnownRecipient, LookupShare, RecipientPrivacy, VariableTest
from .release import DraftEdit, Release, ReleaseState, SignatureHtml, ValueDraft
from .release_request import ReleaseRequest, RequestState
from .saved_view import SavedView
from .self_service import ChangeState, SelfService, SenderAccount, SenderChange, SenderInvitation
from .sender import (
    Assignment,
    AutomaticDelivery,
    Brand,
    DatedAssignment,
    Disclaimer,
    DriftPolicy,
    Group,
    GroupMember,
    Sender,
)
from .sender_import import MOVING, ImportState, RowState, SenderImport, SenderImportRow
from .template import Template, TemplateVersion

__all__ = [
    "AUTOMATIC",
    "HAND_EDITS",
    "IN_PLACE",
    "MOVING",
    "UNFINISHED_DELIVERY",
    "Assignment",
    "AttributeLabel",
    "AudienceTally",
    "AutomaticDelivery",
    "Banner",
    "BannerEvent",
    "BannerImage",
    "BannerPlace",
    "Brand",
    "Campaign",
    "CampaignRevision",
    "ChangeState",
    "Counted",
    "CountingState",
    "DailyCount",
    "DailyTotal",
    "DateState",
    "DatedAssignment",
    "Decision",
    "DecisionKey",
    "Delivery",
    "DeliveryRun",
    "DeliveryRunState",
    "DeliverySettings",
    "DeliveryState",
    "Disclaimer",
    "DraftEdit",
    "DriftPolicy",
    "EditedBy",
    "EventKind",
    "FieldSetting",
    "Following",
    "Group",
    "GroupMember",
    "ImportState",
    "KnownRecipient",
    "LeftAlone",
    "LeftAloneWhy",
    "LookupShare",
    "MailReceipt",
    "MailboxDay",
    "MailboxState",
    "MailboxStatus",
    "MediaFile",
    "MediaImage",
    "MediaKind",
    "MediaLibrary",
    "Placement",
    "RecipientList",
    "RecipientListEntry",
    "RecipientPrivacy",
    "Release",
    "ReleaseRequest",
    "ReleaseState",
    "RequestState",
    "RowState",
    "SavedView",
    "SeenValue",
    "SelfService",
    "Sender",
    "SenderAccount",
    "SenderChange",
    "SenderImport",
    "SenderImportRow",
    "SenderInvitation",
    "SignatureHtml",
    "Snapshot",
    "SpoolImport",
    "TeamsCount",
    "Template",
    "TemplateVersion",
    "ValueDraft",
    "VariableTest",
]
