"""Whole spaces, played on models of recorded trials."""
