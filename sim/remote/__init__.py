"""Remote services that an acceptance test talks to: a Slack."""
