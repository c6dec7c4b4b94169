"""Tables and figures of Huang and Yu (2024)."""
