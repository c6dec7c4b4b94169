"""`dlopt solve`: from the words typed to a finished run folder, the same way for every kind of problem."""
