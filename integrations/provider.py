"""allauth's discovery file: the providers one can connect. No logic."""

from integrations.outreach.provider import OutreachProvider

provider_classes = [OutreachProvider]
