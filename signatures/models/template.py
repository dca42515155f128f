"""Templates and their versions. A version never changes; saving makes a new one."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from portal.models import Domain


class Template(models.Model):
    """A signature layout with versions; drafts use `current`."""

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="templates")
    name = models.CharField(max_length=120)
    description = models.CharField(max_length=255, blank=True)
    current = models.ForeignKey(
        "TemplateVersion", null=True, blank=True, on_delete=models.SET_NULL, related_name="+", editable=False
    )
    created_at = models.DateTimeField(auto_now_add=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["domain", "name"],
                name="one_template_per_name",
                violation_error_message="A template with this name exists already.",
            )
        ]

    def __str__(self) -> str:
        return self.name


class TemplateVersion(models.Model):
    """A saved source and its compiled form: sanitized, styles inlined, fields listed."""

    template = models.ForeignKey(Template, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    source = models.TextField(help_text="Source: HTML with Liquid merge fields.")
    compiled_html = models.TextField(help_text="Sanitized, with styles inlined; still Liquid.")
    fields = models.JSONField(default=list, help_text="Names of the merge fields it uses.")
    warnings = models.JSONField(default=list)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_by_label = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["template", "number"], name="one_version_per_number")]

    def __str__(self) -> str:
        return f"{self.template.name}, version {self.number}"
