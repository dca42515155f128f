"""`python -m integrations.outreach.sandbox`: the sandbox alone, without Django."""

from .alone import main

main()
