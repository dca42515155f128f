"""Campaigns: editing, checks, schedules, and selection of banners."""
