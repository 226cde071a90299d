"""How the artefact is made: data in, learned weights out. Nothing here runs while routing."""
