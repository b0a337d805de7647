"""Stands in for the MONAI Label package: the endpoint tests read two things of it."""
