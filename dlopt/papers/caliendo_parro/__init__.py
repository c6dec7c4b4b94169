"""caliendo_parro: published beside computed."""
