"""Decisions: which banner one known recipient gets, for the API and explained."""
