"""Files written whole or not at all, tensors with a digest, YAML of others read warily."""
