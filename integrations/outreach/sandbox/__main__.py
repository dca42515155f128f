"""`python -m integrations.outreach.sandbox`: the sandbox alone, without Django."""

from .cli import main

main()
