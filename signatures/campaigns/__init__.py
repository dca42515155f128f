"""Campaigns: edited, checked, scheduled, and which banner is selected for whom."""
