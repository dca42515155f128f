"""Schema: the attributes and relationships Outreach documents for the four resources this sandbox serves.

Source: api.outreach.io/api/v2/schema.json and /schema/openapi.json, harvested 2026-08-13
(api-evangelist/outreach @4b143b7). Written out here a second time on purpose: the sandbox shares no
table with the code it checks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# One line: kind, longest length in characters (- for none), flags, then the attributes' names.
# Flags: r read-only, w write-only, f filterable, s sortable; - for none.
USER = """
boolean - - activityNotificationsDisabled bounceWarningEmailEnabled dailyDigestEmailEnabled
boolean - - enableVoiceRecordings engagementEmailsEnabled keepBridgePhoneConnected mailboxErrorEmailEnabled
boolean - - meetingEngagementNotificationEnabled notificationsEnabled oceClickToDialEverywhere
boolean - - oceGmailToolbar oceSalesforceEmailDecorating oceSalesforcePhoneDecorating oceUniversalTaskFlow
boolean - - oceWindowMode pluginAlertNotificationEnabled prefersLocalPresence senderNotificationsExcluded
boolean - - textingEmailNotifications unknownReplyEmailEnabled voicemailNotificationEnabled
boolean - - weeklyDigestEmailEnabled
boolean - fs locked
instant - r lastSignInAt passwordExpiresAt
instant - rfs createdAt currentSignInAt updatedAt
integer - - accountsViewId callsViewId defaultRulesetId kaiaRecordingsViewId opportunitiesViewId
integer - - prospectsViewId reportsTeamPerfViewId reportsViewId tasksViewId teamsViewId usersViewId
object - - duties
string - - phoneNumber
string - r name userGuid
string 1024 - inboundVoicemailCustomMessageText
string 2 - phoneCountryCode
string 225 - custom1 custom2 custom3 custom4 custom5
string 255 - bridgePhone bridgePhoneExtension controlledTabDefault inboundBridgePhone
string 255 - inboundBridgePhoneExtension inboundCallBehavior inboundPhoneType inboundVoicemailMessageTextVoice
string 255 - inboundVoicemailPromptType oceGmailTrackingState phoneType preferredVoiceRegion scimExternalId
string 255 - scimSource title
string 255 fs email firstName lastName username
string 255 w jobRoleByName
"""

TEAM = """
instant - rfs createdAt updatedAt
string 255 - color scimExternalId scimSource
string 255 fs name
"""

MAILBOX = """
boolean - - imapSsl sendDisabled sendRequiresSync smtpSsl syncDisabled syncOutreachFolder
boolean - r editable
boolean - w validateSend validateSync
instant - r sendErroredAt sendSuccessAt syncErroredAt syncFinishedAt syncSuccessAt
instant - rfs createdAt updatedAt
integer - - authId ewsSslVerifyMode imapPort maxEmailsPerDay maxMailingsPerDay maxMailingsPerWeek
integer - - sendMaxRetries sendPeriod sendThreshold smtpPort syncActiveFrequency syncPassiveFrequency
integer - r providerId
integer - rfs userId
string - r sendgridWebhookUrl
string 255 - emailHash emailProvider ewsEndpoint exchangeVersion imapHost sendMethod smtpHost smtpUsername
string 255 - syncMethod username
string 255 fs email
string 255 r providerType
string 512 - optOutMessage optOutSignature
string 65535 - emailSignature prospectEmailExclusions
string 65535 w password sendgridApiKey smtpPassword
"""

PROSPECT = """
array - r contactHistogram
boolean - - callOptedOut emailOptedOut optedOut
date - - dateOfBirth graduationDate jobStartDate
instant - - addedAt availableAt trashedAt
instant - r callsOptedAt emailsOptedAt optedOutAt
instant - rfs createdAt engagedAt touchedAt updatedAt
integer - - linkedInConnections
integer - r clickCount openCount replyCount
number - - score
number - rfs engagedScore
string - - company
string - r name timeZoneIana
string 1000 - githubUrl linkedInUrl stackOverflowUrl twitterUrl
string 255 - addressCity addressCountry addressState addressStreet addressStreet2 addressZip angelListUrl
string 255 - callsOptStatus campaignName degree emailsOptStatus eventName externalId externalOwner
string 255 - facebookUrl gender googlePlusUrl middleName nickname occupation preferredContact quoraUrl region
string 255 - school source
string 255 f sharingTeamId timeZone
string 255 fs externalSource firstName githubUsername lastName linkedInId stackOverflowId title
string 255 fs twitterUsername
string 255 r timeZoneInferred
string 255 rfs linkedInSlug
string 65535 - personalNote1 personalNote2 specialties websiteUrl1 websiteUrl2 websiteUrl3
strings - - homePhones mobilePhones otherPhones tags voipPhones workPhones
strings - f emails
""" + "".join(f"string 32000 - custom{number}\n" for number in range(1, 151))

# One line: cardinality (one, many, or link for "to-many, link only"), target type, filterable
# attributes (- for none), the relationships' names. Only what the public hyper-schema lists; the
# OpenAPI file has more, which need scopes of their own.
USER_RELATIONSHIPS = """
link batch - batches
many contentCategory - contentCategories
one user - creator updater
one mailbox - mailbox
many mailbox - mailboxes
one profile id profile
many recipient - recipients
one role id role
many team id teams
"""

TEAM_RELATIONSHIPS = """
link batch - batches
many contentCategory - contentCategories
one user - creator updater
many user id users
"""

MAILBOX_RELATIONSHIPS = """
one user - creator updater
link mailAlias - mailAliases
link mailing - mailings
one user id user
"""

PROSPECT_RELATIONSHIPS = """
one account id,customId,name,named,updatedAt account
many sequenceState id,state activeSequenceStates
link batch - batches
link call - calls
one user - creator updater
many emailAddress - emailAddresses
many favorite - favorites
link mailing - mailings
many opportunity id opportunities
many opportunityProspectRole - opportunityProspectRoles
one user id owner
one persona id persona
many phoneNumber - phoneNumbers
link sequenceState id,state sequenceStates
one stage id,name stage
link task - tasks
"""


EMPTY: dict[str, object] = {"boolean": False, "strings": [], "array": [], "object": {}}


@dataclass(frozen=True, slots=True)
class Attribute:
    """One documented attribute; max_length is in characters, None where none is published."""

    name: str
    kind: str
    max_length: int | None
    read_only: bool
    write_only: bool
    filterable: bool
    sortable: bool
    # The record's field that holds it: `firstName` lives in `first_name`.
    field: str
    # The value in a record that never set it.
    empty: object


@dataclass(frozen=True, slots=True)
class Relationship:
    name: str
    cardinality: str
    target: str
    filterable: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Resource:
    """What is documented of one resource type, and which methods it takes besides GET."""

    type: str
    plural: str
    controller: str
    methods: frozenset[str]
    attributes: dict[str, Attribute]
    relationships: dict[str, Relationship]


def _attributes(table: str) -> dict[str, Attribute]:
    found = {}
    for line in table.strip().splitlines():
        kind, length, flags, *names = line.split()
        for name in names:
            found[name] = Attribute(
                name=name,
                kind=kind,
                max_length=None if length == "-" else int(length),
                read_only="r" in flags,
                write_only="w" in flags,
                filterable="f" in flags,
                sortable="s" in flags,
                field=re.sub(r"([A-Z])", lambda capital: "_" + capital[0].lower(), name),
                empty=EMPTY.get(kind),
            )
    return dict(sorted(found.items()))


def _relationships(table: str) -> dict[str, Relationship]:
    found = {}
    for line in table.strip().splitlines():
        cardinality, target, filterable, *names = line.split()
        for name in names:
            attributes = () if filterable == "-" else tuple(filterable.split(","))
            found[name] = Relationship(name, cardinality, target, attributes)
    return dict(sorted(found.items()))


def _resource(kind: str, plural: str, methods: str, attributes: str, relationships: str) -> Resource:
    return Resource(
        type=kind,
        plural=plural,
        controller=f"ApiV2::{plural.capitalize()}Controller",
        methods=frozenset(methods.split()),
        attributes=_attributes(attributes),
        relationships=_relationships(relationships),
    )


# Users have no DELETE; the other three do.
RESOURCES: dict[str, Resource] = {
    "users": _resource("user", "users", "POST PATCH", USER, USER_RELATIONSHIPS),
    "teams": _resource("team", "teams", "POST PATCH DELETE", TEAM, TEAM_RELATIONSHIPS),
    "mailboxes": _resource("mailbox", "mailboxes", "POST PATCH DELETE", MAILBOX, MAILBOX_RELATIONSHIPS),
    "prospects": _resource("prospect", "prospects", "POST PATCH DELETE", PROSPECT, PROSPECT_RELATIONSHIPS),
}
