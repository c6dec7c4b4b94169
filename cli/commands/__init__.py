"""The commands besides `dlopt solve`, a file for each."""
