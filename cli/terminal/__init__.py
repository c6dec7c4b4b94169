"""What stands on the terminal: screens, progress, signals, help and completion."""
