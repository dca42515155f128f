"""Providers for allauth's discovery; no logic."""

from integrations.outreach.provider import OutreachProvider

provider_classes = [OutreachProvider]
