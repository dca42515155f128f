"""Notices: what needs a person is noticed, and told by e-mail, webhook and Slack."""
