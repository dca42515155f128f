"""The demo: a sandbox Outreach, the portal, and a person's way through both, on this machine only."""
