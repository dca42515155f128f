"""The demo: runs a sandbox of Outreach, the portal and a scripted walk through both, on this machine only."""
