"""Conditions: the language of audiences of recipients and rules of groups; without database or look-up."""
